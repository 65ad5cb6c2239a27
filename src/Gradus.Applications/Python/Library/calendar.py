from datetime import date, _leap, _month_days, _MONTHS, _WEEK

month_name = _MONTHS
month_abbr = [m[:3] for m in _MONTHS]
day_name = _WEEK
day_abbr = [d[:3] for d in _WEEK]
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = range(7)

def isleap(year):
    return _leap(year)

def leapdays(first, last):
    return sum(_leap(y) for y in range(first, last))

def weekday(year, month, day):
    return date(year, month, day).weekday()

def monthrange(year, month):
    return weekday(year, month, 1), _month_days(year, month)

def monthcalendar(year, month):
    first, days = monthrange(year, month)
    cells = [0] * first + list(range(1, days + 1))
    cells += [0] * (-len(cells) % 7)
    return [cells[i:i + 7] for i in range(0, len(cells), 7)]
