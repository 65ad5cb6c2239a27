using System.Globalization;
using System.Text.Json;

namespace Gradus.Cli.Configuration;

/// <summary>Checks a number, a name or another single value against its type, and writes it the way the type reads it.</summary>
internal static class ScalarValue
{
    /// <summary>The value for a type, or the problem with it.</summary>
    public static (ConfigurationNode? Value, string? Problem) Read(ConfigurationType type, ConfigurationNode given)
    {
        return type.Shape switch
        {
            ValueShape.Boolean when given.Kind is JsonValueKind.True or JsonValueKind.False => (given, null),
            ValueShape.Integer when given.Kind == JsonValueKind.Number => Integer(type, given),
            ValueShape.Number when given.Kind == JsonValueKind.Number => Number(type, given),
            ValueShape.Text when given.Kind == JsonValueKind.String => (given, null),
            ValueShape.Choice => Choice(type, given),
            ValueShape.Other when IsReadable(type, given) => (given, null),
            ValueShape.Any => (given, null),
            _ => (null, $"expected {type.Expected}, got {given}"),
        };
    }

    /// <summary>Whether the type's own converter reads a value.</summary>
    public static bool IsReadable(ConfigurationType type, ConfigurationNode given)
    {
        try
        {
            return JsonSerializer.Deserialize(given.ToUtf8(), type.Info) is not null;
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException or OverflowException or InvalidOperationException)
        {
            return false;
        }
    }

    // JSON Schema calls 1e6 and 2.0 integers; .NET's reader does not, so they are rewritten.
    private static (ConfigurationNode? Value, string? Problem) Integer(ConfigurationType type, ConfigurationNode given)
    {
        (decimal least, decimal most) = type.IntegerRange;
        double size = double.Parse(given.Text, CultureInfo.InvariantCulture);
        if (!decimal.TryParse(given.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal value) || Math.Abs(size) > 1e28)
            return (null, $"must be from {least} to {most}, got {given}");
        if (value != decimal.Truncate(value) || (value == 0 && size != 0))
            return (null, $"expected {type.Expected}, got {given}");
        return value >= least && value <= most
            ? (ConfigurationNode.Number(decimal.Truncate(value).ToString("0", CultureInfo.InvariantCulture), given.Origin), null)
            : (null, $"must be from {least} to {most}, got {given}");
    }

    private static (ConfigurationNode? Value, string? Problem) Number(ConfigurationType type, ConfigurationNode given)
    {
        double most = type.Type == typeof(float) ? float.MaxValue
            : type.Type == typeof(Half) ? (double)Half.MaxValue
            : type.Type == typeof(decimal) ? 7.9e28
            : double.MaxValue;
        double value = double.Parse(given.Text, CultureInfo.InvariantCulture);
        return Math.Abs(value) <= most
            ? (given, null)
            : (null, string.Create(CultureInfo.InvariantCulture, $"must be from {-most:G8} to {most:G8}, got {given}"));
    }

    private static (ConfigurationNode? Value, string? Problem) Choice(ConfigurationType type, ConfigurationNode given)
    {
        if (given.Kind == JsonValueKind.String && type.Choices.Contains(given.Text))
            return (given, null);
        return (null, $"expected {type.Expected}, got {given}");
    }
}
