using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Gradus.Applications.Retrieval.Vectors;

/// <summary>Values of records to JSON and back, by their types.</summary>
internal static class RecordValues
{
    /// <summary>The types, for messages.</summary>
    public const string Supported = "string, bool, byte, short, int, long, float, double, decimal, Guid, DateTime, DateTimeOffset, DateOnly, TimeOnly, and arrays and lists of them";

    private static readonly Dictionary<Type, (Func<object, JsonNode> Write, Func<JsonNode, object> Read)> Types = new()
    {
        [typeof(string)] = (v => JsonValue.Create((string)v), n => (string)n!),
        [typeof(bool)] = (v => JsonValue.Create((bool)v), n => (bool)n),
        [typeof(byte)] = (v => JsonValue.Create((byte)v), n => (byte)n),
        [typeof(short)] = (v => JsonValue.Create((short)v), n => (short)n),
        [typeof(int)] = (v => JsonValue.Create((int)v), n => (int)n),
        [typeof(long)] = (v => JsonValue.Create((long)v), n => (long)n),
        [typeof(decimal)] = (v => JsonValue.Create((decimal)v), n => (decimal)n),
        // As texts: JSON has no numbers that are not finite, and the last digit stays.
        [typeof(float)] = (v => JsonValue.Create(((float)v).ToString("R", CultureInfo.InvariantCulture)), n => float.Parse((string)n!, CultureInfo.InvariantCulture)),
        [typeof(double)] = (v => JsonValue.Create(((double)v).ToString("R", CultureInfo.InvariantCulture)), n => double.Parse((string)n!, CultureInfo.InvariantCulture)),
        [typeof(Guid)] = (v => JsonValue.Create(v.ToString()!), n => Guid.Parse((string)n!)),
        [typeof(DateTime)] = (v => JsonValue.Create(((DateTime)v).ToString("O", CultureInfo.InvariantCulture)), n => DateTime.Parse((string)n!, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind)),
        [typeof(DateTimeOffset)] = (v => JsonValue.Create(((DateTimeOffset)v).ToString("O", CultureInfo.InvariantCulture)), n => DateTimeOffset.Parse((string)n!, CultureInfo.InvariantCulture)),
        [typeof(DateOnly)] = (v => JsonValue.Create(((DateOnly)v).ToString("O", CultureInfo.InvariantCulture)), n => DateOnly.Parse((string)n!, CultureInfo.InvariantCulture)),
        [typeof(TimeOnly)] = (v => JsonValue.Create(((TimeOnly)v).ToString("O", CultureInfo.InvariantCulture)), n => TimeOnly.Parse((string)n!, CultureInfo.InvariantCulture)),
    };

    /// <summary>Whether values of a type can be kept.</summary>
    public static bool IsSupported(Type type) => Types.ContainsKey(ElementOf(type) ?? Nullable.GetUnderlyingType(type) ?? type);

    /// <summary>A value as JSON.</summary>
    public static JsonNode? Write(object? value)
    {
        if (value is null)
            return null;
        if (value is not string && value is System.Collections.IEnumerable list)
            return new JsonArray([.. list.Cast<object?>().Select(Write)]);
        return Types.TryGetValue(value.GetType(), out var type) ? type.Write(value) : throw new NotSupportedException($"values of type {value.GetType().Name} cannot be kept; {Supported} can.");
    }

    /// <summary>A value of a type from JSON.</summary>
    public static object? Read(JsonNode? node, Type type)
    {
        if (node is null)
            return null;
        if (ElementOf(type) is not { } element)
            return Types[Nullable.GetUnderlyingType(type) ?? type].Read(node);
        object?[] values = [.. node.AsArray().Select(n => Read(n, element))];
        Array array = Array.CreateInstanceFromArrayType(element.MakeArrayType(), values.Length);
        for (int i = 0; i < values.Length; i++)
            array.SetValue(values[i], i);
        return type.IsArray ? array : Activator.CreateInstance(type, array);
    }

    /// <summary>The floats of a vector in one of the forms that records have, or null for another value.</summary>
    public static ReadOnlyMemory<float>? Floats(object? value) => value switch
    {
        ReadOnlyMemory<float> memory => memory,
        float[] array => array,
        Embedding<float> embedding => embedding.Vector,
        _ => null,
    };

    /// <summary>A vector in the form of a property.</summary>
    public static object ToVector(float[] values, Type type)
    {
        Type plain = Nullable.GetUnderlyingType(type) ?? type;
        return plain == typeof(float[]) ? values : plain == typeof(Embedding<float>) ? new Embedding<float>(values) : new ReadOnlyMemory<float>(values);
    }

    private static Type? ElementOf(Type type) =>
        type.IsArray ? type.GetElementType() : type.IsGenericType && type.GetGenericTypeDefinition() == typeof(List<>) ? type.GetGenericArguments()[0] : null;
}
