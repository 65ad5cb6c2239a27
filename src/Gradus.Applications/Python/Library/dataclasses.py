MISSING = object()

class Field:
    def __init__(self, default, default_factory, init, repr, compare):
        self.default, self.default_factory = default, default_factory
        self.init, self.repr, self.compare = init, repr, compare
        self.name = None

def field(*, default=MISSING, default_factory=MISSING, init=True, repr=True, compare=True, hash=None, metadata=None, kw_only=False):
    return Field(default, default_factory, init, repr, compare)

class FrozenInstanceError(AttributeError):
    pass

def fields(of):
    return tuple((of if isinstance(of, type) else type(of)).__dataclass_fields__.values())

def is_dataclass(of):
    return hasattr(of, '__dataclass_fields__')

def asdict(of):
    def plain(value):
        if is_dataclass(value):
            return asdict(value)
        if isinstance(value, (list, tuple)):
            return type(value)(plain(v) for v in value)
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        return value
    return {f.name: plain(getattr(of, f.name)) for f in fields(of)}

def astuple(of):
    return tuple(asdict(of).values())

def replace(of, **changes):
    return type(of)(**{**{f.name: getattr(of, f.name) for f in fields(of) if f.init}, **changes})

def dataclass(cls=None, *, init=True, repr=True, eq=True, order=False, frozen=False, unsafe_hash=False, kw_only=False, slots=False):
    if cls is None:
        return lambda c: dataclass(c, init=init, repr=repr, eq=eq, order=order, frozen=frozen, unsafe_hash=unsafe_hash)
    all_fields = {}
    for base in reversed(cls.__mro__):
        all_fields.update(base.__dict__.get('__dataclass_fields__', {}))
    for name in cls.__dict__.get('__annotated__', ()):
        value = cls.__dict__.get(name, MISSING)
        if not isinstance(value, Field):
            value = Field(value, MISSING, True, True, True)
        if isinstance(value.default, (list, dict, set)):
            raise ValueError(f'mutable default {type(value.default)} for field {name} is not allowed: use default_factory')
        value.name = name
        all_fields[name] = value
        if value.default is not MISSING:
            setattr(cls, name, value.default)
        elif name in cls.__dict__:
            delattr(cls, name)
    cls.__dataclass_fields__ = all_fields

    def __init__(self, *args, **kwargs):
        taken = [f for f in all_fields.values() if f.init]
        if len(args) > len(taken):
            raise TypeError(f'{cls.__name__}.__init__() takes {len(taken) + 1} positional arguments but {len(args) + 1} were given')
        given = {f.name: v for f, v in zip(taken, args)}
        for name, value in kwargs.items():
            if name in given:
                raise TypeError(f"{cls.__name__}.__init__() got multiple values for argument '{name}'")
            if name not in [f.name for f in taken]:
                raise TypeError(f"{cls.__name__}.__init__() got an unexpected keyword argument '{name}'")
            given[name] = value
        for f in all_fields.values():
            if f.name in given:
                value = given[f.name]
            elif f.default is not MISSING:
                value = f.default
            elif f.default_factory is not MISSING:
                value = f.default_factory()
            elif f.init:
                raise TypeError(f"{cls.__name__}.__init__() missing 1 required positional argument: '{f.name}'")
            else:
                continue
            object.__setattr__(self, f.name, value)
        if hasattr(self, '__post_init__'):
            self.__post_init__()

    def key(self):
        return tuple(getattr(self, f.name) for f in all_fields.values() if f.compare)

    if init and '__init__' not in cls.__dict__:
        cls.__init__ = __init__
    if repr and '__repr__' not in cls.__dict__:
        cls.__repr__ = lambda self: f"{type(self).__name__}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in all_fields.values() if f.repr)})"
    if eq and '__eq__' not in cls.__dict__:
        cls.__eq__ = lambda self, other: key(self) == key(other) if type(other) is type(self) else NotImplemented
        if frozen or unsafe_hash:
            cls.__hash__ = lambda self: hash(key(self))
        elif '__hash__' not in cls.__dict__:
            cls.__hash__ = None
    if order:
        cls.__lt__ = lambda self, other: key(self) < key(other)
        cls.__le__ = lambda self, other: key(self) <= key(other)
        cls.__gt__ = lambda self, other: key(self) > key(other)
        cls.__ge__ = lambda self, other: key(self) >= key(other)
    if frozen:
        def refuse(self, name, value):
            raise FrozenInstanceError(f"cannot assign to field '{name}'")
        cls.__setattr__ = refuse
    return cls
