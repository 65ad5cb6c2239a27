import math
import re
from _ordered import Ordered

def _reduce(n, d):
    if d == 0:
        raise ZeroDivisionError(f'Fraction({n}, 0)')
    if d < 0:
        n, d = -n, -d
    g = math.gcd(n, d)
    return n // g, d // g

class Fraction(Ordered):
    def __init__(self, numerator=0, denominator=None):
        if isinstance(numerator, str):
            text = numerator.strip()
            if '/' in text:
                n, d = text.split('/')
                n, d = int(n), int(d)
            else:
                match = re.fullmatch(r'([-+]?)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d+))?', text)
                if not match or not (match.group(2) or match.group(3)):
                    raise ValueError(f'Invalid literal for Fraction: {numerator!r}')
                part = match.group(3) or ''
                n, d = int((match.group(2) or '0') + part), 10 ** len(part)
                power = int(match.group(4) or 0)
                n, d = (n * 10 ** power, d) if power >= 0 else (n, d * 10 ** -power)
                if match.group(1) == '-':
                    n = -n
        elif isinstance(numerator, Fraction):
            n, d = numerator.numerator, numerator.denominator
        elif isinstance(numerator, int):
            n, d = int(numerator), 1
        elif hasattr(numerator, 'as_integer_ratio'):
            n, d = numerator.as_integer_ratio()
        else:
            raise TypeError('argument should be a string or a number')
        if denominator is not None:
            other = Fraction(denominator)
            n, d = n * other.denominator, d * other.numerator
        self._numerator, self._denominator = _reduce(n, d)

    @property
    def numerator(self):
        return self._numerator

    @property
    def denominator(self):
        return self._denominator

    @classmethod
    def from_float(cls, value):
        return cls(value)

    @classmethod
    def from_decimal(cls, value):
        return cls(value)

    def as_integer_ratio(self):
        return self._numerator, self._denominator

    def is_integer(self):
        return self._denominator == 1

    def limit_denominator(self, max_denominator=1000000):
        if self._denominator <= max_denominator:
            return Fraction(self)
        p0, q0, p1, q1 = 0, 1, 1, 0
        n, d = self._numerator, self._denominator
        while True:
            a = n // d
            q2 = q0 + a * q1
            if q2 > max_denominator:
                break
            p0, q0, p1, q1 = p1, q1, p0 + a * p1, q2
            n, d = d, n - a * d
        k = (max_denominator - q0) // q1
        first, second = Fraction(p0 + k * p1, q0 + k * q1), Fraction(p1, q1)
        return second if abs(second - self) <= abs(first - self) else first

    def _other(self, other):
        if isinstance(other, Fraction):
            return other
        if isinstance(other, int):
            return Fraction(other)
        return None

    def _with(self, other, exact, real):
        if isinstance(other, float):
            return real(float(self), other)
        other = self._other(other)
        return NotImplemented if other is None else exact(self, other)

    def _rwith(self, other, exact, real):
        if isinstance(other, float):
            return real(other, float(self))
        other = self._other(other)
        return NotImplemented if other is None else exact(other, self)

    def __add__(self, other):
        return self._with(other, _add, lambda a, b: a + b)
    def __radd__(self, other):
        return self._rwith(other, _add, lambda a, b: a + b)
    def __sub__(self, other):
        return self._with(other, _sub, lambda a, b: a - b)
    def __rsub__(self, other):
        return self._rwith(other, _sub, lambda a, b: a - b)
    def __mul__(self, other):
        return self._with(other, _mul, lambda a, b: a * b)
    def __rmul__(self, other):
        return self._rwith(other, _mul, lambda a, b: a * b)
    def __truediv__(self, other):
        return self._with(other, _div, lambda a, b: a / b)
    def __rtruediv__(self, other):
        return self._rwith(other, _div, lambda a, b: a / b)
    def __floordiv__(self, other):
        return self._with(other, lambda a, b: (a._numerator * b._denominator) // (a._denominator * b._numerator), lambda a, b: a // b)
    def __rfloordiv__(self, other):
        return self._rwith(other, lambda a, b: (a._numerator * b._denominator) // (a._denominator * b._numerator), lambda a, b: a // b)
    def __mod__(self, other):
        return self._with(other, lambda a, b: a - b * (a // b), lambda a, b: a % b)
    def __rmod__(self, other):
        return self._rwith(other, lambda a, b: a - b * (a // b), lambda a, b: a % b)

    def __pow__(self, power):
        if isinstance(power, Fraction) and power._denominator == 1:
            power = power._numerator
        if isinstance(power, int):
            if power >= 0:
                return Fraction(self._numerator ** power, self._denominator ** power)
            return Fraction(self._denominator ** -power, self._numerator ** -power)
        return float(self) ** float(power)
    def __rpow__(self, base):
        return base ** (self._numerator if self._denominator == 1 else float(self))

    def __neg__(self):
        return Fraction(-self._numerator, self._denominator)
    def __pos__(self):
        return self
    def __abs__(self):
        return Fraction(abs(self._numerator), self._denominator)
    def __bool__(self):
        return self._numerator != 0
    def __float__(self):
        return self._numerator / self._denominator
    def __int__(self):
        return -(-self._numerator // self._denominator) if self._numerator < 0 else self._numerator // self._denominator
    __trunc__ = __int__
    def __floor__(self):
        return self._numerator // self._denominator
    def __ceil__(self):
        return -(-self._numerator // self._denominator)
    def __round__(self, digits=None):
        if digits is None:
            whole, rest = divmod(self._numerator, self._denominator)
            twice = rest * 2
            return whole + 1 if twice > self._denominator or (twice == self._denominator and whole % 2) else whole
        shift = 10 ** abs(digits)
        return Fraction(round(self * shift), shift) if digits > 0 else Fraction(round(self / shift) * shift)

    def _order(self, other):
        if isinstance(other, float):
            return float(self) - other
        other = self._other(other)
        if other is None:
            return None
        return self._numerator * other._denominator - other._numerator * self._denominator

    def __hash__(self):
        return hash(self._numerator) if self._denominator == 1 else hash((self._numerator, self._denominator))
    def __repr__(self):
        return f'Fraction({self._numerator}, {self._denominator})'
    def __str__(self):
        return str(self._numerator) if self._denominator == 1 else f'{self._numerator}/{self._denominator}'

def _add(a, b):
    return Fraction(a._numerator * b._denominator + b._numerator * a._denominator, a._denominator * b._denominator)

def _sub(a, b):
    return Fraction(a._numerator * b._denominator - b._numerator * a._denominator, a._denominator * b._denominator)

def _mul(a, b):
    return Fraction(a._numerator * b._numerator, a._denominator * b._denominator)

def _div(a, b):
    return Fraction(a._numerator * b._denominator, a._denominator * b._numerator)
