using System.Numerics;

namespace Gradus.Text.Chat.Jinja;

/// <summary>
/// A value of a running template with Python's semantics. Values are immutable, as in the sandbox of the reference;
/// only namespaces, loops and generators have state. Lookups return null where Python would raise AttributeError or LookupError.
/// </summary>
internal abstract class Value
{
    /// <summary>The name of the type in Python, for messages.</summary>
    public abstract string TypeName { get; }

    public virtual bool IsTrue => true;

    /// <summary>The message this value was read from, or −1.</summary>
    public virtual int Message => -1;

    /// <summary>len(): null where the type has none.</summary>
    public virtual int? Count => null;

    /// <summary>Python's getattr: methods and properties of the type, not items.</summary>
    public virtual Value? Attribute(RenderContext context, string name) => null;

    /// <summary>Python's value[key].</summary>
    public virtual Value? Item(RenderContext context, Value key) => null;

    /// <summary>iter(): null where the type is not iterable.</summary>
    public virtual IEnumerable<Value>? Iterate(RenderContext context) => null;

    public virtual Value Call(RenderContext context, Arguments arguments) =>
        throw context.Error($"'{TypeName}' object is not callable");

    public static BoolValue Of(bool value) => value ? BoolValue.True : BoolValue.False;

    public static IntValue Of(BigInteger value) => new(value);

    public static TextValue Of(string value) => new(value, []);
}

/// <summary>
/// A name, field or item that does not exist: prints as nothing, fails when it is used. A strict one, which knows the rendering it belongs
/// to, fails too when it is printed, compared, iterated or asked for its truth.
/// </summary>
internal sealed class UndefinedValue(string reason, RenderContext? strict = null) : Value
{
    public string Reason { get; } = reason;
    public override string TypeName => "Undefined";
    public override bool IsTrue => Lenient(false);
    public override int? Count => Lenient(0);
    public override IEnumerable<Value> Iterate(RenderContext context) => Lenient(Array.Empty<Value>());
    public T Lenient<T>(T value) => strict is null ? value : throw strict.Error(Reason);
    public override Value Attribute(RenderContext context, string name) => throw context.Error(Reason);
    public override Value Item(RenderContext context, Value key) => throw context.Error(Reason);
    public override Value Call(RenderContext context, Arguments arguments) => throw context.Error(Reason);
}

internal sealed class NoneValue : Value
{
    public static NoneValue Instance { get; } = new();
    public override string TypeName => "NoneType";
    public override bool IsTrue => false;
}

internal sealed class BoolValue : Value
{
    private readonly bool _value;
    private BoolValue(bool value) => _value = value;
    public static BoolValue True { get; } = new(true);
    public static BoolValue False { get; } = new(false);
    public override string TypeName => "bool";
    public override bool IsTrue => _value;
}

internal sealed class IntValue(BigInteger number) : Value
{
    public BigInteger Number { get; } = number;
    public override string TypeName => "int";
    public override bool IsTrue => !Number.IsZero;
}

internal sealed class FloatValue(double number) : Value
{
    public double Number { get; } = number;
    public override string TypeName => "float";
    public override bool IsTrue => Number != 0;
}

/// <summary>A function of the engine, or a method bound to its object.</summary>
internal sealed class FunctionValue(string name, Value self, NativeFunction function) : Value
{
    public string Name { get; } = name;
    public override string TypeName => "function";
    public override Value Call(RenderContext context, Arguments arguments) => function(context, self, arguments);
}

/// <summary>namespace(): the only object a template can write to.</summary>
internal sealed class NamespaceValue : Value
{
    public Dictionary<string, Value> Fields { get; } = new(StringComparer.Ordinal);
    public override string TypeName => "Namespace";
    public override Value? Attribute(RenderContext context, string name) => Fields.GetValueOrDefault(name);
}

/// <summary>A function of the engine: filters and methods get their subject as self.</summary>
internal delegate Value NativeFunction(RenderContext context, Value self, Arguments arguments);
