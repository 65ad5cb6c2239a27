// What the source-generated metadata says about one type of the tree, in the words of a configuration. All reflection goes
// through members that the generator names literally (constructors, properties, parameters), so trimming keeps them.
// Left out: property-level converters and number handling (put the converter on the type), integer discriminators,
// several layers of [JsonPolymorphic], and dictionaries whose keys are not strings.
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Gradus.Cli.Configuration;

/// <summary>The shapes a value can have.</summary>
internal enum ValueShape
{
    /// <summary>An object with known keys.</summary>
    Record,

    /// <summary>One of several records, told apart by a discriminator such as <c>kind</c>.</summary>
    Kinds,

    /// <summary>An array.</summary>
    List,

    /// <summary>An object with free keys.</summary>
    Map,

    /// <summary>True or false.</summary>
    Boolean,

    /// <summary>A whole number.</summary>
    Integer,

    /// <summary>A number.</summary>
    Number,

    /// <summary>A string.</summary>
    Text,

    /// <summary>One of an enum's names.</summary>
    Choice,

    /// <summary>Any JSON.</summary>
    Any,

    /// <summary>Whatever the type's own converter reads: a time span, a date, a shape.</summary>
    Other,
}

/// <summary>One type of the tree.</summary>
internal sealed class ConfigurationType
{
    private static readonly Dictionary<Type, (decimal Least, decimal Most)> s_integers = new()
    {
        [typeof(sbyte)] = (sbyte.MinValue, sbyte.MaxValue),
        [typeof(byte)] = (byte.MinValue, byte.MaxValue),
        [typeof(short)] = (short.MinValue, short.MaxValue),
        [typeof(ushort)] = (ushort.MinValue, ushort.MaxValue),
        [typeof(int)] = (int.MinValue, int.MaxValue),
        [typeof(uint)] = (uint.MinValue, uint.MaxValue),
        [typeof(long)] = (long.MinValue, long.MaxValue),
        [typeof(ulong)] = (ulong.MinValue, ulong.MaxValue),
    };

    private readonly JsonTypeInfo _info;
    private readonly Lazy<ConfigurationType?> _element;
    private readonly Lazy<OrderedDictionary<string, ConfigurationProperty>> _properties;
    private readonly Lazy<OrderedDictionary<string, ConfigurationType>> _kinds;
    private readonly Lazy<IReadOnlyList<string>> _choices;

    private ConfigurationType(JsonTypeInfo info)
    {
        _info = info;
        Shape = ShapeOf(info);
        _element = new(() => info.ElementType is null ? null : Of(info, info.ElementType));
        _properties = new(ReadProperties);
        _kinds = new(ReadKinds);
        _choices = new(ReadChoices);
    }

    /// <summary>The type behind it; of <c>int?</c> the <c>int</c>.</summary>
    public Type Type => _info.Type;

    /// <summary>The metadata.</summary>
    public JsonTypeInfo Info => _info;

    /// <summary>The shape of its values.</summary>
    public ValueShape Shape { get; }

    /// <summary>The elements of a list or a map.</summary>
    public ConfigurationType Element => _element.Value!;

    /// <summary>Whether the elements may be null: only <c>T?</c> of a value type tells.</summary>
    public bool ElementNullable => _info.ElementType is { } type && Nullable.GetUnderlyingType(type) is not null;

    /// <summary>The keys of a record, in the order of declaration.</summary>
    public OrderedDictionary<string, ConfigurationProperty> Properties => _properties.Value;

    /// <summary>The key that tells kinds apart.</summary>
    public string Discriminator => _info.PolymorphismOptions!.TypeDiscriminatorPropertyName;

    /// <summary>The kinds and their records.</summary>
    public OrderedDictionary<string, ConfigurationType> Kinds => _kinds.Value;

    /// <summary>An enum's names.</summary>
    public IReadOnlyList<string> Choices => _choices.Value;

    /// <summary>The range of an integer type.</summary>
    public (decimal Least, decimal Most) IntegerRange => s_integers[Type];

    /// <summary>Whether a value is neither an object nor an array.</summary>
    public bool IsScalar => Shape is not (ValueShape.Record or ValueShape.Kinds or ValueShape.List or ValueShape.Map or ValueShape.Any);

    /// <summary>What to write here, for messages: <c>an integer</c>.</summary>
    public string Expected => Shape switch
    {
        ValueShape.Record or ValueShape.Kinds or ValueShape.Map => "an object",
        ValueShape.List => "an array",
        ValueShape.Boolean => "true or false",
        ValueShape.Integer => "an integer",
        ValueShape.Number => "a number",
        ValueShape.Text => "a string",
        ValueShape.Choice => $"one of {string.Join(", ", Choices)}",
        _ => $"a {Type.Name}",
    };

    /// <summary>The view of a type.</summary>
    public static ConfigurationType Of(JsonTypeInfo info)
    {
        return Nullable.GetUnderlyingType(info.Type) is { } underlying ? Of(info, underlying) : new(info);
    }

    private static ConfigurationType Of(JsonTypeInfo owner, Type type)
    {
        return Of(owner.Options.GetTypeInfo(Nullable.GetUnderlyingType(type) ?? type));
    }

    private static ValueShape ShapeOf(JsonTypeInfo info)
    {
        Type type = info.Type;
        return info.Kind switch
        {
            JsonTypeInfoKind.Object => info.PolymorphismOptions is { DerivedTypes.Count: > 0 } ? ValueShape.Kinds : ValueShape.Record,
            JsonTypeInfoKind.Enumerable => ValueShape.List,
            JsonTypeInfoKind.Dictionary => info.KeyType == typeof(string)
                ? ValueShape.Map
                : throw new NotSupportedException($"{type}: a dictionary of a configuration has strings as keys."),
            _ when type == typeof(bool) => ValueShape.Boolean,
            _ when s_integers.ContainsKey(type) => ValueShape.Integer,
            _ when type == typeof(float) || type == typeof(double) || type == typeof(decimal) || type == typeof(Half) => ValueShape.Number,
            _ when type == typeof(string) => ValueShape.Text,
            _ when type.IsEnum => ValueShape.Choice,
            _ when type == typeof(object) || type == typeof(JsonElement) => ValueShape.Any,
            _ => ValueShape.Other,
        };
    }

    private OrderedDictionary<string, ConfigurationProperty> ReadProperties()
    {
        OrderedDictionary<string, ConfigurationProperty> properties = [];
        // Computed properties have no setter; ignored ones have no getter either.
        foreach (JsonPropertyInfo property in _info.Properties.Where(p => p is { Get: not null, Set: not null, IsExtensionData: false }))
            properties.Add(property.Name, new ConfigurationProperty(this, property));
        return properties;
    }

    private OrderedDictionary<string, ConfigurationType> ReadKinds()
    {
        OrderedDictionary<string, ConfigurationType> kinds = [];
        foreach (JsonDerivedType derived in _info.PolymorphismOptions!.DerivedTypes)
        {
            if (derived.TypeDiscriminator is not string kind)
                throw new NotSupportedException($"{derived.DerivedType} needs a string as its {Discriminator}: [JsonDerivedType(typeof(…), \"name\")].");
            kinds.Add(kind, Record(derived.DerivedType));
        }
        return kinds;
    }

    // A derived record that is itself the base would look polymorphic again.
    private ConfigurationType Record(Type type)
    {
        ConfigurationType record = Of(_info, type);
        return record.Shape == ValueShape.Record ? record : throw new NotSupportedException($"{type}: a kind must be a plain record.");
    }

    private List<string> ReadChoices()
    {
        List<string> names = [];
        foreach (object value in Enum.GetValuesAsUnderlyingType(Type))
        {
            ConfigurationNode node = ConfigurationNode.Parse(
                JsonSerializer.SerializeToUtf8Bytes(Enum.ToObject(Type, value), _info), new ConfigurationSource(Type.Name));
            if (node.Kind != JsonValueKind.String)
                throw new NotSupportedException($"{Type} is written as numbers: add typeof(SnakeCaseEnum<{Type.Name}>) to the context's Converters.");
            if (!names.Contains(node.Text))
                names.Add(node.Text);
        }
        return names;
    }

    /// <summary>
    /// The defaults of this record as a tree: what its constructor makes of its parameters' defaults. Keys without a default
    /// (parameters without one, <c>required</c> members) are absent, and all are where the constructor refuses.
    /// </summary>
    /// <param name="kind">The discriminator and its value where this is one of several kinds.</param>
    /// <param name="origin">Whom to name when a default turns out to be wrong.</param>
    public ConfigurationNode Defaults((string Key, string Value)? kind, Origin origin)
    {
        OrderedDictionary<string, ConfigurationNode> members = [];
        if (kind is { } k)
            members.Add(k.Key, ConfigurationNode.String(k.Value, origin));
        if (TryConstruct() is { } instance)
        {
            foreach (ConfigurationProperty property in Properties.Values.Where(p => !p.Required))
            {
                if (property.Get(instance) is { } value)
                    members.Add(property.Name, property.Type.Serialize(value, origin));
                else if (property.Nullable)
                    members.Add(property.Name, ConfigurationNode.Null(origin));
            }
        }
        return ConfigurationNode.Object(members, origin);
    }

    private object? TryConstruct()
    {
        if (_info.CreateObject is { } create)
            return create();
        if (_info.ConstructorAttributeProvider is not ConstructorInfo constructor)
            return null;
        object?[] arguments = new object?[constructor.GetParameters().Length];
        foreach (JsonPropertyInfo property in _info.Properties)
        {
            if (property.AssociatedParameter is { IsMemberInitializer: false, HasDefaultValue: true } parameter)
                arguments[parameter.Position] = parameter.DefaultValue;
        }
        try
        {
            return constructor.Invoke(arguments);
        }
        catch (TargetInvocationException)
        {
            // It checks what it is given, and a required parameter was not.
            return null;
        }
    }

    /// <summary>A value as a tree without its computed properties.</summary>
    public ConfigurationNode Serialize(object value, Origin origin)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(value, _info);
        return Settable(ConfigurationNode.Parse(json, origin.Source));
    }

    private ConfigurationNode Settable(ConfigurationNode node)
    {
        switch (Shape)
        {
            case ValueShape.Record or ValueShape.Map when node.Kind == JsonValueKind.Object:
                return Settable(node, this);
            case ValueShape.Kinds when node.Kind == JsonValueKind.Object:
                return node.Members.TryGetValue(Discriminator, out ConfigurationNode? kind) && Kinds.TryGetValue(kind.Text, out ConfigurationType? record)
                    ? Settable(node, record)
                    : throw new NotSupportedException($"{Type}: every kind needs [JsonDerivedType(typeof(…), \"name\")].");
            case ValueShape.List when node.Kind == JsonValueKind.Array:
                return ConfigurationNode.Array([.. node.Items.Select(Element.Settable)], node.Origin);
            default:
                return node;
        }
    }

    private ConfigurationNode Settable(ConfigurationNode node, ConfigurationType type)
    {
        OrderedDictionary<string, ConfigurationNode> members = [];
        foreach ((string key, ConfigurationNode value) in node.Members)
        {
            if (type.Shape == ValueShape.Map)
                members.Add(key, type.Element.Settable(value));
            else if (type.Properties.TryGetValue(key, out ConfigurationProperty? property))
                members.Add(key, property.Type.Settable(value));
            else if (Shape == ValueShape.Kinds && key == Discriminator)
                members.Add(key, value);
        }
        return ConfigurationNode.Object(members, node.Origin);
    }
}

/// <summary>One key of a record.</summary>
internal sealed class ConfigurationProperty
{
    private readonly JsonPropertyInfo _info;
    private readonly Lazy<ConfigurationType> _type;

    /// <summary>Reads a property's metadata.</summary>
    public ConfigurationProperty(ConfigurationType owner, JsonPropertyInfo info)
    {
        if (info.CustomConverter is not null || info.NumberHandling is not null)
            throw new NotSupportedException($"{owner.Type}.{info.Name}: put the converter on the type, not on the property.");
        _info = info;
        _type = new(() => ConfigurationType.Of(info.Options.GetTypeInfo(info.PropertyType)));
        Owner = owner;
        Range = Attribute<RangeAttribute>();
        MinLength = Attribute<MinLengthAttribute>()?.Length ?? 0;
    }

    /// <summary>The record that has it.</summary>
    public ConfigurationType Owner { get; }

    /// <summary>The key.</summary>
    public string Name => _info.Name;

    /// <summary>The name in C#.</summary>
    public string MemberName => Member?.Name ?? Name;

    /// <summary>The property in C#, and the constructor's parameter of a positional record.</summary>
    public MemberInfo? Member => _info.AttributeProvider as MemberInfo;

    /// <summary>The name of the constructor's parameter, or null where it is a property alone.</summary>
    public string? ParameterName => _info.AssociatedParameter is { IsMemberInitializer: false } parameter ? parameter.Name : null;

    /// <summary>The type of its value.</summary>
    public ConfigurationType Type => _type.Value;

    /// <summary>Whether it may be null.</summary>
    public bool Nullable => _info.IsSetNullable;

    /// <summary>Whether a new object must be given it.</summary>
    public bool Required => _info.IsRequired || _info.AssociatedParameter is { IsMemberInitializer: false, HasDefaultValue: false };

    /// <summary>The allowed range of a number, or of each number of a list or map; or null.</summary>
    public RangeAttribute? Range { get; }

    /// <summary>The least length of a string or array.</summary>
    public int MinLength { get; }

    /// <summary>Its value.</summary>
    public object? Get(object owner) => _info.Get!(owner);

    private T? Attribute<T>()
        where T : Attribute
    {
        return (T?)(_info.AttributeProvider?.GetCustomAttributes(typeof(T), true).FirstOrDefault()
            ?? _info.AssociatedParameter?.AttributeProvider?.GetCustomAttributes(typeof(T), true).FirstOrDefault());
    }
}
