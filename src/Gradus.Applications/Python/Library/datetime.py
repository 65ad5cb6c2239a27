import time as _time

MINYEAR, MAXYEAR = 1, 9999
_DAYS = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
_MONTHS = ['', 'January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']
_WEEK = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']

def _leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)

def _month_days(year, month):
    return 29 if month == 2 and _leap(year) else _DAYS[month]

def _ordinal(year, month, day):
    y = year - 1
    return y * 365 + y // 4 - y // 100 + y // 400 + sum(_month_days(year, m) for m in range(1, month)) + day

def _from_ordinal(n):
    if n < 1 or n > 3652059:
        raise OverflowError('date value out of range')
    year = n * 400 // 146097 + 1
    while _ordinal(year, 1, 1) > n:
        year -= 1
    n -= _ordinal(year, 1, 1) - 1
    month = 1
    while n > _month_days(year, month):
        n -= _month_days(year, month)
        month += 1
    return year, month, n

class timedelta:
    def __init__(self, days=0, seconds=0, microseconds=0, milliseconds=0, minutes=0, hours=0, weeks=0):
        total = ((days + weeks * 7) * 86400 + seconds + minutes * 60 + hours * 3600) * 1000000 + milliseconds * 1000 + microseconds
        self._us = round(total)
    @property
    def days(self):
        return self._us // 86400000000
    @property
    def seconds(self):
        return self._us % 86400000000 // 1000000
    @property
    def microseconds(self):
        return self._us % 1000000
    def total_seconds(self):
        return self._us / 1000000
    def _made(us):
        return timedelta(microseconds=us)
    def __add__(self, other):
        return timedelta._made(self._us + other._us) if isinstance(other, timedelta) else NotImplemented
    def __sub__(self, other):
        return timedelta._made(self._us - other._us) if isinstance(other, timedelta) else NotImplemented
    def __mul__(self, by):
        return timedelta._made(self._us * by)
    __rmul__ = __mul__
    def __truediv__(self, by):
        return self._us / by._us if isinstance(by, timedelta) else timedelta._made(self._us / by)
    def __floordiv__(self, by):
        return self._us // by._us if isinstance(by, timedelta) else timedelta._made(self._us // by)
    def __mod__(self, by):
        return timedelta._made(self._us % by._us)
    def __neg__(self):
        return timedelta._made(-self._us)
    def __abs__(self):
        return timedelta._made(abs(self._us))
    def __bool__(self):
        return self._us != 0
    def __eq__(self, other):
        return isinstance(other, timedelta) and self._us == other._us
    def __lt__(self, other):
        return self._us < other._us
    def __le__(self, other):
        return self._us <= other._us
    def __gt__(self, other):
        return self._us > other._us
    def __ge__(self, other):
        return self._us >= other._us
    def __hash__(self):
        return hash(self._us)
    def __str__(self):
        hours, rest = divmod(self.seconds, 3600)
        text = f'{hours}:{rest // 60:02}:{rest % 60:02}'
        if self.microseconds:
            text += f'.{self.microseconds:06}'
        return (f"{self.days} day{'' if abs(self.days) == 1 else 's'}, " if self.days else '') + text
    def __repr__(self):
        parts = [f'{n}={v}' for n, v in (('days', self.days), ('seconds', self.seconds), ('microseconds', self.microseconds)) if v]
        return f"datetime.timedelta({', '.join(parts) or '0'})"

class timezone:
    def __init__(self, offset, name=None):
        self.offset, self.name = offset, name
    def utcoffset(self, when=None):
        return self.offset
    def __repr__(self):
        return 'datetime.timezone.utc'
timezone.utc = timezone(timedelta(0), 'UTC')

def _format(when, pattern):
    out, i = '', 0
    hour, minute, second, micro = getattr(when, 'hour', 0), getattr(when, 'minute', 0), getattr(when, 'second', 0), getattr(when, 'microsecond', 0)
    while i < len(pattern):
        c = pattern[i]
        if c != '%' or i + 1 == len(pattern):
            out += c
            i += 1
            continue
        k = pattern[i + 1]
        i += 2
        if k == 'Y': out += f'{when.year:04}'
        elif k == 'y': out += f'{when.year % 100:02}'
        elif k == 'm': out += f'{when.month:02}'
        elif k == 'd': out += f'{when.day:02}'
        elif k == 'e': out += f'{when.day:2}'
        elif k == 'B': out += _MONTHS[when.month]
        elif k in 'bh': out += _MONTHS[when.month][:3]
        elif k == 'A': out += _WEEK[when.weekday()]
        elif k == 'a': out += _WEEK[when.weekday()][:3]
        elif k == 'w': out += str((when.weekday() + 1) % 7)
        elif k == 'u': out += str(when.weekday() + 1)
        elif k == 'j': out += f'{when.toordinal() - _ordinal(when.year, 1, 1) + 1:03}'
        elif k == 'H': out += f'{hour:02}'
        elif k == 'I': out += f'{(hour - 1) % 12 + 1:02}'
        elif k == 'M': out += f'{minute:02}'
        elif k == 'S': out += f'{second:02}'
        elif k == 'f': out += f'{micro:06}'
        elif k == 'p': out += 'AM' if hour < 12 else 'PM'
        elif k == 'F': out += _format(when, '%Y-%m-%d')
        elif k == 'T': out += _format(when, '%H:%M:%S')
        elif k == 'D': out += _format(when, '%m/%d/%y')
        elif k == '%': out += '%'
        elif k in 'zZ': out += ''
        else: raise ValueError(f'unsupported format %{k}')
    return out

class date:
    def __init__(self, year, month, day):
        if not MINYEAR <= year <= MAXYEAR:
            raise ValueError(f'year {year} is out of range')
        if not 1 <= month <= 12:
            raise ValueError('month must be in 1..12')
        if not 1 <= day <= _month_days(year, month):
            raise ValueError('day is out of range for month')
        self.year, self.month, self.day = year, month, day
    @classmethod
    def today(cls):
        return cls.fromtimestamp(_time.time())
    @classmethod
    def fromordinal(cls, n):
        return cls(*_from_ordinal(n))
    @classmethod
    def fromtimestamp(cls, t):
        return cls(*_from_ordinal(int(t // 86400) + 719163))
    @classmethod
    def fromisoformat(cls, text):
        y, m, d = text.split('-')
        return cls(int(y), int(m), int(d))
    def toordinal(self):
        return _ordinal(self.year, self.month, self.day)
    def weekday(self):
        return (self.toordinal() + 6) % 7
    def isoweekday(self):
        return self.weekday() + 1
    def isocalendar(self):
        thursday = self.toordinal() - self.weekday() + 3
        year = _from_ordinal(thursday)[0]
        return year, (thursday - _ordinal(year, 1, 1)) // 7 + 1, self.isoweekday()
    def replace(self, year=None, month=None, day=None):
        return date(year or self.year, month or self.month, day or self.day)
    def isoformat(self):
        return f'{self.year:04}-{self.month:02}-{self.day:02}'
    def strftime(self, pattern):
        return _format(self, pattern)
    def timetuple(self):
        return (self.year, self.month, self.day, 0, 0, 0, self.weekday(), self.toordinal() - _ordinal(self.year, 1, 1) + 1, -1)
    def _key(self):
        return (self.year, self.month, self.day)
    def __add__(self, other):
        return date.fromordinal(self.toordinal() + other.days) if isinstance(other, timedelta) else NotImplemented
    __radd__ = __add__
    def __sub__(self, other):
        if isinstance(other, timedelta):
            return date.fromordinal(self.toordinal() - other.days)
        return timedelta(self.toordinal() - other.toordinal())
    def __eq__(self, other):
        return isinstance(other, date) and self._key() == other._key()
    def __lt__(self, other):
        return self._key() < other._key()
    def __le__(self, other):
        return self._key() <= other._key()
    def __gt__(self, other):
        return self._key() > other._key()
    def __ge__(self, other):
        return self._key() >= other._key()
    def __hash__(self):
        return hash(self._key())
    def __str__(self):
        return self.isoformat()
    def __repr__(self):
        return f'datetime.date({self.year}, {self.month}, {self.day})'
    def __format__(self, spec):
        return self.strftime(spec) if spec else str(self)

class time:
    def __init__(self, hour=0, minute=0, second=0, microsecond=0, tzinfo=None):
        if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= microsecond < 1000000):
            raise ValueError('a part of the time is out of range')
        self.hour, self.minute, self.second, self.microsecond, self.tzinfo = hour, minute, second, microsecond, tzinfo
    def _key(self):
        return (self.hour, self.minute, self.second, self.microsecond)
    def isoformat(self):
        return f'{self.hour:02}:{self.minute:02}:{self.second:02}' + (f'.{self.microsecond:06}' if self.microsecond else '')
    def strftime(self, pattern):
        return _format(self, pattern)
    def __eq__(self, other):
        return isinstance(other, time) and self._key() == other._key()
    def __lt__(self, other):
        return self._key() < other._key()
    def __le__(self, other):
        return self._key() <= other._key()
    def __hash__(self):
        return hash(self._key())
    def __str__(self):
        return self.isoformat()
    def __repr__(self):
        return f"datetime.time({', '.join(map(str, self._key()[:2 if not self.second and not self.microsecond else 3 if not self.microsecond else 4]))})"

class datetime(date):
    def __init__(self, year, month, day, hour=0, minute=0, second=0, microsecond=0, tzinfo=None):
        super().__init__(year, month, day)
        time(hour, minute, second, microsecond)
        self.hour, self.minute, self.second, self.microsecond, self.tzinfo = hour, minute, second, microsecond, tzinfo
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(_time.time(), tz)
    @classmethod
    def utcnow(cls):
        return cls.now()
    @classmethod
    def fromtimestamp(cls, t, tz=None):
        return cls._of(719163 * 86400000000 + round(t * 1000000), tz)
    @classmethod
    def combine(cls, day, at):
        return cls(day.year, day.month, day.day, at.hour, at.minute, at.second, at.microsecond)
    @classmethod
    def _of(cls, us, tz=None):
        days, rest = divmod(us, 86400000000)
        seconds, micro = divmod(rest, 1000000)
        return cls(*_from_ordinal(days), seconds // 3600, seconds // 60 % 60, seconds % 60, micro, tz)
    @classmethod
    def fromisoformat(cls, text):
        day, _, clock = text.replace(' ', 'T').partition('T')
        y, m, d = map(int, day.split('-'))
        if not clock:
            return cls(y, m, d)
        clock, _, part = clock.rstrip('Z').partition('.')
        h, mi, *s = map(int, clock.split(':'))
        return cls(y, m, d, h, mi, s[0] if s else 0, int((part + '000000')[:6]) if part else 0)
    @classmethod
    def strptime(cls, text, pattern):
        import re
        parts = {'Y': r'(?P<Y>\d{4})', 'y': r'(?P<y>\d{2})', 'm': r'(?P<m>\d{1,2})', 'd': r'(?P<d>\d{1,2})', 'H': r'(?P<H>\d{1,2})', 'I': r'(?P<I>\d{1,2})', 'M': r'(?P<M>\d{1,2})', 'S': r'(?P<S>\d{1,2})', 'f': r'(?P<f>\d{1,6})', 'p': r'(?P<p>[AaPp][Mm])', 'B': r'(?P<B>[A-Za-z]+)', 'b': r'(?P<b>[A-Za-z]{3})', 'A': r'[A-Za-z]+', 'a': r'[A-Za-z]{3}', 'j': r'(?P<j>\d{1,3})', '%': '%'}
        expression, i = '', 0
        while i < len(pattern):
            if pattern[i] == '%':
                if pattern[i + 1] not in parts:
                    raise ValueError(f"'{pattern[i + 1]}' is a bad directive in format {pattern!r}")
                expression += parts[pattern[i + 1]]
                i += 2
            else:
                expression += re.escape(pattern[i])
                i += 1
        match = re.fullmatch(expression, text)
        if not match:
            raise ValueError(f'time data {text!r} does not match format {pattern!r}')
        g = match.groupdict()
        year = int(g['Y']) if g.get('Y') else (int(g['y']) + (2000 if int(g['y']) < 69 else 1900)) if g.get('y') else 1900
        month = int(g['m']) if g.get('m') else 1
        name = g.get('B') or g.get('b')
        if name:
            month = [n[:len(name)].lower() for n in _MONTHS].index(name.lower())
        hour = int(g['H']) if g.get('H') else int(g['I']) if g.get('I') else 0
        if g.get('p'):
            hour = hour % 12 + (12 if g['p'].lower() == 'pm' else 0)
        made = cls(year, month, int(g['d']) if g.get('d') else 1, hour, int(g.get('M') or 0), int(g.get('S') or 0), int((g['f'] + '000000')[:6]) if g.get('f') else 0)
        return made + timedelta(int(g['j']) - 1) if g.get('j') else made
    def _us(self):
        return self.toordinal() * 86400000000 + ((self.hour * 60 + self.minute) * 60 + self.second) * 1000000 + self.microsecond
    def date(self):
        return date(self.year, self.month, self.day)
    def time(self):
        return time(self.hour, self.minute, self.second, self.microsecond)
    def timestamp(self):
        return (self._us() - 719163 * 86400000000) / 1000000
    def replace(self, year=None, month=None, day=None, hour=None, minute=None, second=None, microsecond=None, tzinfo=None):
        def pick(new, old):
            return old if new is None else new
        return datetime(pick(year, self.year), pick(month, self.month), pick(day, self.day), pick(hour, self.hour), pick(minute, self.minute), pick(second, self.second), pick(microsecond, self.microsecond), tzinfo or self.tzinfo)
    def isoformat(self, sep='T', timespec='auto'):
        return f'{super().isoformat()}{sep}{self.time().isoformat()}'
    def _key(self):
        return (self.year, self.month, self.day, self.hour, self.minute, self.second, self.microsecond)
    def __add__(self, other):
        return datetime._of(self._us() + other._us, self.tzinfo) if isinstance(other, timedelta) else NotImplemented
    __radd__ = __add__
    def __sub__(self, other):
        if isinstance(other, timedelta):
            return datetime._of(self._us() - other._us, self.tzinfo)
        return timedelta(microseconds=self._us() - other._us())
    def __str__(self):
        return self.isoformat(' ')
    def __repr__(self):
        key = self._key()
        n = 7 if self.microsecond else 6 if self.second else 5
        return f"datetime.datetime({', '.join(map(str, key[:n]))})"
