namespace Gradus.Applications.Python;

/// <summary>A property of a class.</summary>
internal sealed class PropertyObject(Value get, Value set, Value delete) : PyObject
{
    public Value Getter { get; } = get;

    public Value Setter { get; } = set;

    public Value Deleter { get; } = delete;

    public override PyClass ClassOf => Types.Property;
}

/// <summary>A static or class method.</summary>
internal sealed class WrappedMethod(Value function, bool ofClass) : PyObject
{
    public Value Function { get; } = function;

    public bool OfClass { get; } = ofClass;

    public override PyClass ClassOf => OfClass ? Types.ClassMethod : Types.StaticMethod;
}

/// <summary>super(): attributes from the classes behind one in the order of an object's class.</summary>
internal sealed class SuperObject(PyClass after, Value self) : PyObject
{
    public PyClass After { get; } = after;

    public Value Self { get; } = self;

    public override PyClass ClassOf => Types.Super;

    public Value Find(string name)
    {
        PyClass of = Self.Ref as PyClass ?? Self.Class;
        int at = Array.IndexOf(of.Mro, After);
        for (int i = at + 1; i < of.Mro.Length; i++)
        {
            if (of.Mro[i].Attributes.TryGetValue(name, out Value value))
                return value;
        }
        return default;
    }
}

/// <summary>value.name.</summary>
internal static class Attributes
{
    public static Value Get(Interpreter it, Value value, string name)
    {
        Value found = TryGet(it, value, name);
        if (!found.IsUnbound)
            return found;
        Value fallback = value.Class.Find("__getattr__");
        if (!fallback.IsUnbound)
            return it.Call(fallback, value, Value.Of(name));
        throw Errors.Attribute(value.Ref switch
        {
            ModuleObject module => $"module '{module.Name}' has no attribute '{name}'",
            PyClass c => $"type object '{c.Name}' has no attribute '{name}'",
            _ => $"'{value.Class.Name}' object has no attribute '{name}'",
        });
    }

    /// <summary>The attribute, or unbound.</summary>
    public static Value TryGet(Interpreter it, Value value, string name)
    {
        switch (value.Ref)
        {
            case ModuleObject module:
                return module[name];
            case PyClass c:
                return OfClass(it, c, name);
            case SuperObject super:
                Value found = super.Find(name);
                return found.IsUnbound ? default : super.Self.Ref is PyClass && found.Ref is not WrappedMethod ? found : Bind(it, found, super.Self, super.Self.Ref as PyClass ?? super.Self.Class);
        }
        PyClass type = value.Class;
        Value attribute = type.Find(name);
        if (attribute.Ref is PropertyObject property)
            return property.Getter.IsUnbound ? throw Errors.Attribute("unreadable attribute") : it.Call(property.Getter, value);
        if (value.Ref is InstanceObject instance && instance.Attributes.TryGetValue(name, out Value own))
            return own;
        if (value.Ref is FunctionObject function && function.Attributes.TryGetValue(name, out own))
            return own;
        if (!attribute.IsUnbound)
            return Bind(it, attribute, value, type);
        return Special(value, name);
    }

    private static Value OfClass(Interpreter it, PyClass c, string name)
    {
        Value found = c.Find(name);
        if (!found.IsUnbound)
            return found.Ref is WrappedMethod ? Bind(it, found, Value.Of(c), c) : found;
        return name switch
        {
            "__name__" or "__qualname__" => Value.Of(c.Name),
            "__mro__" => Value.Of(new TupleObject([.. c.Mro.Select(m => Value.Of(m))])),
            "__bases__" => Value.Of(new TupleObject([.. c.Bases.Select(m => Value.Of(m))])),
            "__dict__" => Classes.DictOf(c.Attributes),
            "__class__" => Value.Of(Types.Type),
            "__doc__" => Value.None,
            "mro" => Value.Of(new NativeFunction("mro", (_, _, _) => Value.Of(new ListObject([.. c.Mro.Select(m => Value.Of(m))])))),
            _ => default,
        };
    }

    private static Value Bind(Interpreter it, Value attribute, Value self, PyClass of) => attribute.Ref switch
    {
        FunctionObject or NativeFunction => Value.Of(new BoundMethod(self, attribute)),
        WrappedMethod wrapped => wrapped.OfClass ? Value.Of(new BoundMethod(Value.Of(of), wrapped.Function)) : wrapped.Function,
        PropertyObject property => it.Call(property.Getter, self),
        InstanceObject instance when !instance.Of.Find("__get__").IsUnbound => it.CallMethod(attribute, "__get__", self, Value.Of(of)),
        _ => attribute,
    };

    private static Value Special(Value value, string name) => (value.Ref, name) switch
    {
        (_, "__class__") => Value.Of(value.Class),
        (InstanceObject instance, "__dict__") => Classes.DictOf(instance.Attributes),
        (InstanceObject error, "__traceback__" or "__cause__" or "__context__" or "__notes__") when error.Of.Is(Types.BaseException) => Value.None,
        (FunctionObject f, "__name__" or "__qualname__") => Value.Of(f.Name),
        (FunctionObject f, "__doc__") => f.Code.Documentation is { } text ? Value.Of(text) : Value.None,
        (FunctionObject, "__module__") => Value.Of("__main__"),
        (FunctionObject, "__dict__" or "__annotations__") => Value.Of(new DictObject()),
        (FunctionObject f, "__defaults__") => f.Defaults.Length == 0 ? Value.None : Value.Of(new TupleObject(f.Defaults)),
        (NativeFunction n, "__name__" or "__qualname__") => Value.Of(n.Name),
        (BoundMethod b, "__self__") => b.Self,
        (BoundMethod b, "__func__") => b.Function,
        (BoundMethod { Function.Ref: FunctionObject f }, "__name__") => Value.Of(f.Name),
        (BoundMethod { Function.Ref: NativeFunction f }, "__name__") => Value.Of(f.Name),
        (PropertyObject p, "fget") => p.Getter,
        (_, "__doc__") => Value.None,
        _ => default,
    };

    public static void Set(Interpreter it, Value target, string name, Value value)
    {
        switch (target.Ref)
        {
            case InstanceObject instance:
                Value attribute = instance.Of.Find(name);
                if (attribute.Ref is PropertyObject property)
                {
                    if (property.Setter.IsUnbound)
                        throw Errors.Attribute($"property '{name}' of '{instance.Of.Name}' object has no setter");
                    it.Call(property.Setter, target, value);
                    return;
                }
                Value set = instance.Of.Find("__setattr__");
                if (set.Ref is FunctionObject)
                    it.Call(set, target, Value.Of(name), value);
                else
                    instance.Attributes[name] = value;
                break;
            case PyClass { IsBuiltin: false } c:
                c.Attributes[name] = value;
                break;
            case FunctionObject function:
                if (name == "__name__")
                    function.Name = value.Text ?? function.Name;
                else
                    function.Attributes[name] = value;
                break;
            case ModuleObject module:
                module[name] = value;
                break;
            case PyClass c:
                throw Errors.Type($"cannot set '{name}' attribute of immutable type '{c.Name}'");
            default:
                throw Errors.Attribute($"'{target.Class.Name}' object has no attribute '{name}'");
        }
    }

    public static void Delete(Interpreter it, Value target, string name)
    {
        bool gone = target.Ref switch
        {
            InstanceObject instance when instance.Of.Find(name).Ref is PropertyObject { Deleter: { IsUnbound: false } deleter } => !it.Call(deleter, target).IsUnbound,
            InstanceObject instance => instance.Attributes.Remove(name),
            PyClass { IsBuiltin: false } c => c.Attributes.Remove(name),
            FunctionObject function => function.Attributes.Remove(name),
            _ => false,
        };
        if (!gone)
            throw Errors.Attribute($"'{target.Class.Name}' object has no attribute '{name}'");
    }
}
