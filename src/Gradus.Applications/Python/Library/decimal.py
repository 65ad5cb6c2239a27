import re
from _ordered import Ordered

ROUND_HALF_EVEN = 'ROUND_HALF_EVEN'
ROUND_HALF_UP = 'ROUND_HALF_UP'
ROUND_HALF_DOWN = 'ROUND_HALF_DOWN'
ROUND_UP = 'ROUND_UP'
ROUND_DOWN = 'ROUND_DOWN'
ROUND_CEILING = 'ROUND_CEILING'
ROUND_FLOOR = 'ROUND_FLOOR'

class DecimalException(ArithmeticError):
    pass
class InvalidOperation(DecimalException):
    pass
class DivisionByZero(DecimalException, ZeroDivisionError):
    pass

class Context:
    def __init__(self, prec=28, rounding=ROUND_HALF_EVEN):
        self.prec = prec
        self.rounding = rounding

_context = Context()

def getcontext():
    return _context

def setcontext(context):
    global _context
    _context = context

class localcontext:
    def __init__(self, ctx=None):
        self.new = Context(_context.prec, _context.rounding) if ctx is None else ctx
    def __enter__(self):
        self.old = getcontext()
        setcontext(self.new)
        return self.new
    def __exit__(self, *args):
        setcontext(self.old)

def _rounded(n, drop, rounding):
    # n without its last digits, |n| first
    if drop <= 0:
        return n * 10 ** -drop
    sign = -1 if n < 0 else 1
    unit = 10 ** drop
    whole, rest = divmod(abs(n), unit)
    twice = rest * 2
    if rounding == ROUND_HALF_EVEN:
        up = twice > unit or (twice == unit and whole % 2)
    elif rounding == ROUND_HALF_UP:
        up = twice >= unit
    elif rounding == ROUND_HALF_DOWN:
        up = twice > unit
    elif rounding == ROUND_UP:
        up = rest > 0
    elif rounding == ROUND_CEILING:
        up = rest > 0 and sign > 0
    elif rounding == ROUND_FLOOR:
        up = rest > 0 and sign < 0
    else:
        up = False
    return sign * (whole + (1 if up else 0))

def _fit(n, e):
    digits = len(str(abs(n)))
    if digits > _context.prec:
        drop = digits - _context.prec
        n, e = _rounded(n, drop, _context.rounding), e + drop
        if len(str(abs(n))) > _context.prec:
            n, e = n // 10, e + 1
    return _make(n, e)

def _make(n, e):
    made = Decimal()
    made._n, made._e = n, e
    return made

class Decimal(Ordered):
    def __init__(self, value=0, context=None):
        if isinstance(value, Decimal):
            self._n, self._e = value._n, value._e
        elif isinstance(value, int):
            self._n, self._e = int(value), 0
        elif isinstance(value, float):
            n, d = value.as_integer_ratio()
            k = d.bit_length() - 1
            self._n, self._e = n * 5 ** k, -k
        elif isinstance(value, str):
            match = re.fullmatch(r'\s*([-+]?)(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d+))?\s*', value.replace('_', ''))
            if not match or not (match.group(2) or match.group(3)):
                raise InvalidOperation(f"invalid literal for Decimal: {value!r}")
            part = match.group(3) or ''
            self._n = int((match.group(2) or '') + part or '0')
            if match.group(1) == '-':
                self._n = -self._n
            self._e = int(match.group(4) or 0) - len(part)
        elif isinstance(value, (tuple, list)):
            sign, digits, self._e = value
            self._n = int(''.join(map(str, digits)) or '0') * (-1 if sign else 1)
        else:
            raise TypeError(f'conversion from {type(value).__name__} to Decimal is not supported')

    def _other(self, other):
        if isinstance(other, Decimal):
            return other
        return Decimal(other) if isinstance(other, int) else None

    def _aligned(self, other):
        e = min(self._e, other._e)
        return self._n * 10 ** (self._e - e), other._n * 10 ** (other._e - e), e

    def __add__(self, other):
        other = self._other(other)
        if other is None:
            return NotImplemented
        a, b, e = self._aligned(other)
        return _fit(a + b, e)
    __radd__ = __add__
    def __sub__(self, other):
        other = self._other(other)
        if other is None:
            return NotImplemented
        a, b, e = self._aligned(other)
        return _fit(a - b, e)
    def __rsub__(self, other):
        other = self._other(other)
        return NotImplemented if other is None else other - self
    def __mul__(self, other):
        other = self._other(other)
        return NotImplemented if other is None else _fit(self._n * other._n, self._e + other._e)
    __rmul__ = __mul__
    def __truediv__(self, other):
        other = self._other(other)
        if other is None:
            return NotImplemented
        if other._n == 0:
            raise DivisionByZero('division by zero') if self._n else InvalidOperation('0 / 0')
        sign = -1 if (self._n < 0) != (other._n < 0) else 1
        shift = max(0, _context.prec + len(str(abs(other._n))) - len(str(abs(self._n))) + 1)
        whole, rest = divmod(abs(self._n) * 10 ** shift, abs(other._n))
        e = self._e - other._e - shift
        if rest:
            if whole % 5 == 0:
                whole += 1
            return _fit(sign * whole, e)
        ideal = self._e - other._e
        while e < ideal and whole % 10 == 0 and whole:
            whole, e = whole // 10, e + 1
        return _fit(sign * whole, ideal if whole == 0 else e)
    def __rtruediv__(self, other):
        other = self._other(other)
        return NotImplemented if other is None else other / self
    def __floordiv__(self, other):
        other = self._other(other)
        if other is None:
            return NotImplemented
        a, b, _ = self._aligned(other)
        if b == 0:
            raise DivisionByZero('division by zero')
        whole = abs(a) // abs(b)
        return _make(-whole if (a < 0) != (b < 0) else whole, 0)
    def __mod__(self, other):
        other = self._other(other)
        if other is None:
            return NotImplemented
        a, b, e = self._aligned(other)
        if b == 0:
            raise InvalidOperation('modulo by zero')
        rest = abs(a) % abs(b)
        return _fit(-rest if a < 0 else rest, e)
    def __rmod__(self, other):
        return self._other(other) % self
    def __rfloordiv__(self, other):
        return self._other(other) // self
    def __pow__(self, power):
        if isinstance(power, Decimal) and power == int(power):
            power = int(power)
        if not isinstance(power, int):
            raise InvalidOperation('only whole powers are part of this Python')
        if power < 0:
            return Decimal(1) / self ** -power
        return _fit(self._n ** power, self._e * power)
    def __neg__(self):
        return _fit(-self._n, self._e)
    def __pos__(self):
        return _fit(self._n, self._e)
    def __abs__(self):
        return _fit(abs(self._n), self._e)
    def __bool__(self):
        return self._n != 0
    def __int__(self):
        return self._n * 10 ** self._e if self._e >= 0 else (abs(self._n) // 10 ** -self._e) * (-1 if self._n < 0 else 1)
    __trunc__ = __int__
    def __float__(self):
        return float(f'{self._n}e{self._e}')
    def __floor__(self):
        return self._n * 10 ** self._e if self._e >= 0 else self._n // 10 ** -self._e
    def __ceil__(self):
        return -((-self).__floor__())
    def __round__(self, digits=None):
        if digits is None:
            return _rounded(self._n, -self._e, ROUND_HALF_EVEN)
        return _make(_rounded(self._n, -self._e - digits, ROUND_HALF_EVEN), -digits)

    def quantize(self, exp, rounding=None):
        exp = Decimal(exp)
        return _make(_rounded(self._n, exp._e - self._e, rounding or _context.rounding), exp._e)
    def to_integral_value(self, rounding=None):
        return self if self._e >= 0 else self.quantize(Decimal(1), rounding)
    to_integral = to_integral_value
    def sqrt(self):
        import math
        if self._n < 0:
            raise InvalidOperation('sqrt of a negative number')
        shift = 2 * (_context.prec + 2)
        n, e = self._n * 10 ** shift, self._e - shift
        if e % 2:
            n, e = n * 10, e - 1
        root = math.isqrt(n)
        exact = root * root == n
        if not exact and root % 5 == 0:
            root += 1
        e //= 2
        while exact and root and root % 10 == 0 and e < self._e // 2:
            root, e = root // 10, e + 1
        return _fit(root, e)
    def normalize(self):
        n, e = self._n, self._e
        while n and n % 10 == 0:
            n, e = n // 10, e + 1
        return _make(n, e if n else 0)
    def as_integer_ratio(self):
        from fractions import Fraction
        value = Fraction(self._n * 10 ** self._e) if self._e >= 0 else Fraction(self._n, 10 ** -self._e)
        return value.numerator, value.denominator
    def as_tuple(self):
        from collections import namedtuple
        return namedtuple('DecimalTuple', 'sign digits exponent')(int(self._n < 0), tuple(int(d) for d in str(abs(self._n))), self._e)
    def adjusted(self):
        return len(str(abs(self._n))) - 1 + self._e
    def is_zero(self):
        return self._n == 0
    def is_signed(self):
        return self._n < 0
    def is_nan(self):
        return False
    def is_infinite(self):
        return False

    def _order(self, other):
        if isinstance(other, float):
            other = Decimal(other)
        other = self._other(other)
        if other is None:
            return None
        a, b, _ = self._aligned(other)
        return a - b
    def compare(self, other):
        order = self._order(other)
        return Decimal((order > 0) - (order < 0))
    def __hash__(self):
        n, d = self.as_integer_ratio()
        return hash(n) if d == 1 else hash((n, d))

    def __str__(self):
        digits = str(abs(self._n))
        sign = '-' if self._n < 0 else ''
        if self._e == 0:
            return sign + digits
        if self._e < 0 and self.adjusted() >= -6:
            digits = digits.rjust(-self._e + 1, '0')
            return sign + digits[:self._e] + '.' + digits[self._e:]
        power = self.adjusted()
        return f"{sign}{digits[0]}{'.' + digits[1:] if len(digits) > 1 else ''}E{'+' if power >= 0 else ''}{power}"
    def __repr__(self):
        return f"Decimal('{self}')"
    def __format__(self, spec):
        match = re.fullmatch(r'(.*?)(?:\.(\d+))?([fF%])?', spec)
        if spec and match and (match.group(3) or match.group(2)):
            value, suffix = (self * 100, '%') if match.group(3) == '%' else (self, '')
            text = str(_make(_rounded(value._n, -value._e - int(match.group(2) or 6), ROUND_HALF_EVEN), -int(match.group(2) or 6)) if int(match.group(2) or 6) else _rounded(value._n, -value._e, ROUND_HALF_EVEN))
            if ',' in match.group(1):
                whole, _, part = text.partition('.')
                text = f'{int(whole):,}' + ('.' + part if part else '')
                return format(text + suffix, match.group(1).replace(',', '')) if match.group(1) != ',' else text + suffix
            return format(text + suffix, '>' + match.group(1)) if match.group(1).isdigit() else format(text + suffix, match.group(1))
        return format(str(self), spec)
