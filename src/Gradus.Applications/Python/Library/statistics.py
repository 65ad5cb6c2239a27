import math
from fractions import Fraction

class StatisticsError(ValueError):
    pass

def _data(values, least=1, what='mean'):
    values = list(values)
    if len(values) < least:
        raise StatisticsError(f'{what} requires at least {"one data point" if least == 1 else "two data points"}')
    return values

def _exact(values):
    return sum((Fraction(v) for v in values), Fraction(0))

def _like(value, values):
    if all(isinstance(v, int) for v in values):
        return value.numerator if value.denominator == 1 else value.numerator / value.denominator
    if any(isinstance(v, float) for v in values):
        return value.numerator / value.denominator
    return value if isinstance(values[0], Fraction) else type(values[0])(value.numerator) / type(values[0])(value.denominator)

def mean(data):
    values = _data(data)
    return _like(_exact(values) / len(values), values)

def fmean(data, weights=None):
    values = _data(data)
    if weights is None:
        return math.fsum(values) / len(values)
    weights = list(weights)
    return math.fsum(v * w for v, w in zip(values, weights)) / math.fsum(weights)

def geometric_mean(data):
    values = _data(data)
    return math.exp(math.fsum(math.log(v) for v in values) / len(values))

def harmonic_mean(data, weights=None):
    values = _data(data)
    if any(v < 0 for v in values):
        raise StatisticsError('harmonic mean does not support negative values')
    if any(v == 0 for v in values):
        return 0
    return _like(len(values) / sum(1 / Fraction(v) for v in values), values)

def median(data):
    values = sorted(_data(data, what='median'))
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2

def median_low(data):
    values = sorted(_data(data, what='median'))
    return values[(len(values) - 1) // 2]

def median_high(data):
    values = sorted(_data(data, what='median'))
    return values[len(values) // 2]

def multimode(data):
    counts = {}
    for v in data:
        counts[v] = counts.get(v, 0) + 1
    most = max(counts.values(), default=0)
    return [v for v, n in counts.items() if n == most]

def mode(data):
    modes = multimode(data)
    if not modes:
        raise StatisticsError('no mode for empty data')
    return modes[0]

def _squares(values, center=None):
    middle = _exact(values) / len(values) if center is None else Fraction(center)
    return sum(((Fraction(v) - middle) ** 2 for v in values), Fraction(0))

def variance(data, xbar=None):
    values = _data(data, 2, 'variance')
    return _like(_squares(values, xbar) / (len(values) - 1), values)

def pvariance(data, mu=None):
    values = _data(data, what='pvariance')
    return _like(_squares(values, mu) / len(values), values)

def stdev(data, xbar=None):
    values = _data(data, 2, 'stdev')
    square = _squares(values, xbar) / (len(values) - 1)
    return math.sqrt(square.numerator / square.denominator)

def pstdev(data, mu=None):
    values = _data(data, what='pstdev')
    square = _squares(values, mu) / len(values)
    return math.sqrt(square.numerator / square.denominator)

def quantiles(data, *, n=4, method='exclusive'):
    values = sorted(_data(data, 2, 'quantiles'))
    result = []
    for i in range(1, n):
        if method == 'inclusive':
            whole, part = divmod(i * (len(values) - 1), n)
        else:
            whole, part = divmod(i * (len(values) + 1), n)
            whole = min(max(whole, 1), len(values) - 1) - 1
            part = i * (len(values) + 1) - (whole + 1) * n
        result.append((values[whole] * (n - part) + values[whole + 1] * part) / n)
    return result

def covariance(x, y):
    x, y = list(x), list(y)
    mx, my = fmean(x), fmean(y)
    return math.fsum((a - mx) * (b - my) for a, b in zip(x, y)) / (len(x) - 1)

def correlation(x, y):
    return covariance(x, y) / (stdev(x) * stdev(y))

def linear_regression(x, y):
    from collections import namedtuple
    slope = covariance(x, y) / variance(x)
    return namedtuple('LinearRegression', 'slope intercept')(slope, fmean(y) - slope * fmean(x))
