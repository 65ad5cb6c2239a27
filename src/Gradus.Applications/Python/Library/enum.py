class _Auto:
    pass

def auto():
    return _Auto()

def unique(cls):
    values = [m.value for m in cls]
    if len(set(values)) != len(values):
        raise ValueError(f'duplicate values found in {cls!r}')
    return cls

def _members(cls):
    if cls.__name__ in ('Enum', 'IntEnum', 'StrEnum', 'Flag', 'IntFlag'):
        return cls
    members, last = {}, 0
    for name, value in list(cls.__dict__.items()):
        if name.startswith('_') or callable(value) or isinstance(value, (property, classmethod, staticmethod)):
            continue
        if isinstance(value, _Auto):
            value = name.lower() if cls.__text__ else last * 2 if cls.__flag__ and last else last + 1
        if isinstance(value, int):
            last = value
        same = [m for m in members.values() if m._value_ == value]
        if same:
            member = same[0]
        else:
            member = object.__new__(cls)
            member._name_, member._value_ = name, value
        members[name] = member
        setattr(cls, name, member)
    cls.__members__ = members
    return cls

class Enum:
    __text__ = False
    __flag__ = False
    __enum__ = staticmethod(_members)

    def __new__(cls, value):
        for member in cls.__members__.values():
            if member._value_ == value:
                return member
        if cls.__flag__ and isinstance(value, int):
            made = object.__new__(cls)
            made._name_ = '|'.join(m._name_ for m in cls.__members__.values() if value & m._value_)
            made._value_ = value
            return made
        raise ValueError(f'{value!r} is not a valid {cls.__name__}')

    def __init__(self, *args):
        pass

    @property
    def name(self):
        return self._name_

    @property
    def value(self):
        return self._value_

    def __repr__(self):
        return f'<{type(self).__name__}.{self._name_}: {self._value_!r}>'

    def __str__(self):
        return f'{type(self).__name__}.{self._name_}'

    def __hash__(self):
        return hash(self._name_)

    def __eq__(self, other):
        return self is other

class _Number:
    def _of(self, other):
        return other._value_ if isinstance(other, _Number) else other
    def __eq__(self, other):
        return self._value_ == self._of(other)
    def __hash__(self):
        return hash(self._value_)
    def __lt__(self, other):
        return self._value_ < self._of(other)
    def __le__(self, other):
        return self._value_ <= self._of(other)
    def __gt__(self, other):
        return self._value_ > self._of(other)
    def __ge__(self, other):
        return self._value_ >= self._of(other)
    def __add__(self, other):
        return self._value_ + self._of(other)
    __radd__ = __add__
    def __sub__(self, other):
        return self._value_ - self._of(other)
    def __rsub__(self, other):
        return self._of(other) - self._value_
    def __mul__(self, other):
        return self._value_ * self._of(other)
    __rmul__ = __mul__
    def __int__(self):
        return self._value_
    __index__ = __int__
    def __str__(self):
        return str(self._value_)

class IntEnum(_Number, Enum):
    pass

class StrEnum(Enum):
    __text__ = True
    def __str__(self):
        return self._value_
    def __eq__(self, other):
        return self._value_ == (other._value_ if isinstance(other, StrEnum) else other)
    def __hash__(self):
        return hash(self._value_)

class Flag(Enum):
    __flag__ = True
    def __or__(self, other):
        return type(self)(self._value_ | other._value_)
    def __and__(self, other):
        return type(self)(self._value_ & other._value_)
    def __xor__(self, other):
        return type(self)(self._value_ ^ other._value_)
    def __contains__(self, other):
        return self._value_ & other._value_ == other._value_
    def __bool__(self):
        return self._value_ != 0
    def __eq__(self, other):
        return isinstance(other, Flag) and self._value_ == other._value_
    def __hash__(self):
        return hash(self._value_)

class IntFlag(Flag, _Number):
    pass
