using System.Globalization;
using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf;

/// <summary>The type of a value in GGUF metadata.</summary>
internal enum MetadataType
{
    /// <summary>An unsigned integer of 32 bits.</summary>
    Integer,

    /// <summary>A float of 32 bits.</summary>
    Number,

    /// <summary>True or false.</summary>
    Flag,
}

/// <summary>One line of a family's table of hyperparameters.</summary>
/// <param name="Name">The key of config.json.</param>
/// <param name="Gguf">The key of GGUF, without the architecture before it.</param>
/// <param name="Type">The type in GGUF.</param>
/// <param name="Default">What the family takes where config.json says nothing; null writes nothing then.</param>
internal sealed record ConfigKey(string Name, string Gguf, MetadataType Type = MetadataType.Integer, object? Default = null)
{
    /// <summary>Writes the value of config.json.</summary>
    public void Write(HyperParameters config, string architecture, GgufMetadata metadata)
    {
        object? value = Type switch
        {
            MetadataType.Integer => config.Integer(Name) ?? (int?)Default,
            MetadataType.Number => config.Number(Name) ?? (double?)Default,
            _ => config.Has(Name) ? config.Flag(Name, false) : Default,
        };
        if (value is not null)
            metadata.Set($"{architecture}.{Gguf}", Narrow(value));
    }

    /// <summary>Reads the value into config.json.</summary>
    public void Read(GgufMetadata metadata, string architecture, JsonObject config)
    {
        string key = $"{architecture}.{Gguf}";
        if (Type == MetadataType.Flag && metadata.TryGet(key, out bool flag))
            config[Name] = flag;
        else if (Type == MetadataType.Integer && metadata.TryGetInteger(key, out long integer))
            config[Name] = integer;
        else if (Type == MetadataType.Number && metadata.TryGetNumber(key, out double number))
            config[Name] = Shortest(number);
    }

    /// <summary>The decimal number that a float of 32 bits was made of: 1e-06 rather than 9.999999974752427e-07.</summary>
    public static double Shortest(double number) =>
        double.Parse(((float)number).ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    private object Narrow(object value) => value switch
    {
        int integer when integer >= 0 => (uint)integer,
        double number => (float)number,
        bool => value,
        _ => throw new InvalidDataException($"{Name} is {value}, which GGUF does not store; it takes no negative sizes."),
    };
}
