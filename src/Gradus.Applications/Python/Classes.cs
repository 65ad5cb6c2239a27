namespace Gradus.Applications.Python;

/// <summary>Making classes and objects, and asking about them.</summary>
internal static class Classes
{
    /// <summary>A class from its name, parents and body.</summary>
    public static Value Make(Interpreter it, string name, Value[] parents, Dictionary<string, Value> body)
    {
        PyClass[] bases = [.. parents.Select(p => p.Ref as PyClass ?? throw Errors.Type($"a class cannot derive from {p.Class.Name}")).Where(c => c.Name is not ("Generic" or "Protocol" or "ABC") || !c.IsBuiltin)];
        if (Array.Find(bases, c => c.IsBuiltin && (c == Types.Bool || c == Types.Function || c == Types.Generator || c == Types.Range || c == Types.Slice)) is { } closed)
            throw Errors.Type($"type '{closed.Name}' is not an acceptable base type");
        PyClass made = new(name, bases.Length == 0 ? [Types.Object] : bases);
        foreach ((string key, Value value) in body)
        {
            made.Attributes[key] = key is "__init_subclass__" or "__class_getitem__" && value.Ref is FunctionObject ? Value.Of(new WrappedMethod(value, ofClass: true)) : value;
            Own(value, made);
        }
        if (made.Attributes.ContainsKey("__eq__") && !made.Attributes.ContainsKey("__hash__"))
            made.Attributes["__hash__"] = Value.None;
        foreach ((string key, Value value) in body)
        {
            if (value.Ref is InstanceObject descriptor && !descriptor.Of.Find("__set_name__").IsUnbound)
                it.CallMethod(value, "__set_name__", Value.Of(made), Value.Of(key));
        }
        foreach (PyClass parent in made.Bases)
        {
            if (parent.Find("__init_subclass__").Ref is WrappedMethod hook)
                it.Call(hook.Function, Value.Of(made));
        }
        // The library's enum makes members of what the body says.
        return made.Find("__enum__").Ref is WrappedMethod members ? it.Call(members.Function, Value.Of(made)) : Value.Of(made);
    }

    // super() in a method asks for the class in whose body the method stands.
    private static void Own(Value value, PyClass of)
    {
        switch (value.Ref)
        {
            case FunctionObject function: function.Owner ??= of; break;
            case WrappedMethod wrapped: Own(wrapped.Function, of); break;
            case PropertyObject property:
                Own(property.Getter, of);
                Own(property.Setter, of);
                break;
        }
    }

    /// <summary>Calls a class.</summary>
    public static Value Construct(Interpreter it, PyClass c, Value[] args, Keywords? keywords)
    {
        if (c.IsBuiltin)
            return c.Construct is { } construct ? NativeFunction.Guarded(c.Name, construct, it, args, keywords) : c.Is(Types.BaseException) ? MakeException(c, args) : throw Errors.Type($"cannot create '{c.Name}' instances");
        Value made;
        Value maker = c.Find("__new__");
        bool ownMaker = !maker.Is(Types.Object.Attributes["__new__"]);
        if (ownMaker)
        {
            made = it.Call(maker.Ref is WrappedMethod w ? w.Function : maker, [Value.Of(c), .. args], keywords);
            if (!made.Class.Is(c))
                return made;
        }
        else
        {
            made = New(it, c, args);
        }
        Value init = c.Find("__init__");
        if (!init.Is(Types.Object.Attributes["__init__"]))
        {
            if (!it.Call(init, [made, .. args], keywords).IsNone)
                throw Errors.Type("__init__() should return None");
        }
        else if ((args.Length > 0 || keywords is not null) && c.BuiltinBase is null && !c.Is(Types.BaseException) && !ownMaker)
        {
            throw Errors.Type($"{c.Name}() takes no arguments");
        }
        return made;
    }

    /// <summary>object.__new__: an object whose __init__ has not run.</summary>
    public static Value New(Interpreter it, PyClass c, Value[] args)
    {
        if (c.Is(Types.BaseException))
            return MakeException(c, args);
        InstanceObject instance = new(c);
        if (c.BuiltinBase is { } of)
            instance.Base = of.Construct!(it, c.Find("__init__").Ref is FunctionObject && of != Types.Int && of != Types.Float && of != Types.Str && of != Types.Tuple ? [] : args, null);
        return Value.Of(instance);
    }

    private static Value MakeException(PyClass c, Value[] args)
    {
        InstanceObject error = new(c);
        error.Attributes["args"] = Value.Of(new TupleObject(args));
        if (c.Is(Types.Exceptions["StopIteration"]))
            error.Attributes["value"] = args.Length > 0 ? args[0] : Value.None;
        if (c.Is(Types.Exceptions["SystemExit"]))
            error.Attributes["code"] = args.Length > 0 ? args[0] : Value.None;
        return Value.Of(error);
    }

    public static bool IsInstance(Interpreter it, Value value, Value type) => IsSubclass(it, value.Class, type);

    public static bool IsSubclass(Interpreter it, PyClass c, Value type) => type.Ref switch
    {
        PyClass other => c.Is(other) || Abstract(c, other),
        TupleObject several => Array.Exists(several.Items, t => IsSubclass(it, c, t)),
        _ => throw Errors.Type("isinstance() arg 2 must be a type, a tuple of types, or a union"),
    };

    // The abstract classes of collections.abc and numbers ask for methods.
    private static bool Abstract(PyClass c, PyClass of) => of.Attributes.TryGetValue("__requires__", out Value names) && names.Ref is TupleObject required
        && Array.TrueForAll(required.Items, n => n.Text is { } name && (c.Find(name) is { IsUnbound: false } || (c.BuiltinBase ?? c) is var real && Builtins.HasProtocol(real, name)));

    /// <summary>A copy of attributes as a dict.</summary>
    public static Value DictOf(Dictionary<string, Value> attributes)
    {
        DictObject dict = new();
        foreach ((string name, Value value) in attributes)
            dict.Table.Set(Value.Of(name), value);
        return Value.Of(dict);
    }
}
