namespace Gradus.Applications.Python;

/// <summary>typing, abc, collections.abc and numbers: names that say what a value can do.</summary>
internal static class AbstractModule
{
    private static readonly (string Name, string[] Methods)[] Abstracts =
    [
        ("Iterable", ["__iter__"]), ("Iterator", ["__iter__", "__next__"]), ("Sized", ["__len__"]), ("Container", ["__contains__"]), ("Collection", ["__len__", "__iter__", "__contains__"]),
        ("Sequence", ["__getitem__", "__len__", "__iter__"]), ("MutableSequence", ["append"]), ("Mapping", ["keys"]), ("MutableMapping", ["keys"]), ("Set", ["__contains__", "__len__"]), ("MutableSet", ["add"]), ("Hashable", ["__hash__"]), ("Callable", ["__call__"]), ("Generator", ["send"]), ("Reversible", ["__reversed__"]),
    ];

    public static void Fill(Interpreter it, ModuleObject m)
    {
        foreach ((string name, string[] methods) in Abstracts)
            m[name] = Value.Of(Abstract(name, methods));
    }

    private static PyClass Abstract(string name, params string[] methods)
    {
        PyClass made = new(name, [Types.Object]);
        made.Attributes["__requires__"] = Library.Tuple([.. methods.Select(Value.Of)]);
        return made;
    }

    public static void FillTyping(Interpreter it, ModuleObject m)
    {
        Fill(it, m);
        foreach ((string name, PyClass c) in new[] { ("List", Types.List), ("Dict", Types.Dict), ("Tuple", Types.Tuple), ("FrozenSet", Types.FrozenSet), ("Type", Types.Type), ("DefaultDict", Collections.DefaultDict), ("Counter", Collections.Counter), ("Deque", Collections.Deque), ("OrderedDict", Collections.OrderedDict), ("Text", Types.Str) })
            m[name] = Value.Of(c);
        foreach (string name in new[] { "Any", "Union", "Optional", "Literal", "Final", "ClassVar", "NoReturn", "Annotated", "Self", "AnyStr", "Pattern", "Match", "SupportsInt", "SupportsFloat", "Awaitable", "Coroutine", "AsyncIterator" })
            m[name] = Value.Of(new PyClass(name, [Types.Object], builtin: true));
        m["Generic"] = Value.Of(new PyClass("Generic", [Types.Object], builtin: true));
        m["Protocol"] = Value.Of(new PyClass("Protocol", [Types.Object], builtin: true));
        m["TYPE_CHECKING"] = Value.False;
        m.Add("TypeVar", (_, a, _) => Value.Of(new PyClass(a[0].Text!, [Types.Object], builtin: true)), 1);
        m.Add("NewType", (_, a, _) => a[1], 2, 2);
        m.Add("cast", (_, a, _) => a[1], 2, 2);
        m.Add("overload", (_, a, _) => a[0], 1, 1);
        m.Add("final", (_, a, _) => a[0], 1, 1);
        m.Add("get_type_hints", (_, _, _) => Value.Of(new DictObject()), 1);
        it.RunText("""
            class NamedTuple:
                def __init__(self, *args):
                    raise TypeError('typing.NamedTuple is not part of this Python; use collections.namedtuple')
            class TypedDict(dict):
                pass
            """, m);
    }

    public static void FillAbc(Interpreter it, ModuleObject m)
    {
        m["ABC"] = Value.Of(new PyClass("ABC", [Types.Object], builtin: true));
        m.Add("abstractmethod", (_, a, _) => a[0], 1, 1);
        m["abstractproperty"] = Value.Of(Types.Property);
    }

    public static void FillNumbers(Interpreter it, ModuleObject m)
    {
        foreach (string name in new[] { "Number", "Complex", "Real" })
            m[name] = Value.Of(Abstract(name, "__float__"));
        foreach (string name in new[] { "Rational", "Integral" })
            m[name] = Value.Of(Abstract(name, "__index__"));
    }
}
