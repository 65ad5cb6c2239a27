using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Gradus.Text;

namespace Gradus.Files;

/// <summary>
/// The typed key-value pairs of a GGUF file in their order. Values are <see cref="byte"/>, <see cref="sbyte"/>, <see cref="ushort"/>,
/// <see cref="short"/>, <see cref="uint"/>, <see cref="int"/>, <see cref="ulong"/>, <see cref="long"/>, <see cref="float"/>,
/// <see cref="double"/>, <see cref="bool"/>, <see cref="string"/>, arrays of these, and arrays of arrays (<c>Array[]</c>).
/// </summary>
public sealed class GgufMetadata
{
    // A list of texts that was read is a TextList: vocabularies are long, and most readers of a model ask for none.
    private readonly OrderedDictionary<string, object> _values = new(StringComparer.Ordinal);

    /// <summary>The number of keys.</summary>
    public int Count => _values.Count;

    /// <summary>The keys and values in their order.</summary>
    public IEnumerable<KeyValuePair<string, object>> Pairs => _values.Select(v => KeyValuePair.Create(v.Key, Whole(v.Value)));

    /// <summary>Whether there is a value of a key.</summary>
    public bool Contains(string key) => _values.ContainsKey(key);

    /// <summary>Sets a value; a key that exists keeps its place.</summary>
    /// <exception cref="ArgumentException">GGUF has no such type of value, or the key is empty or longer than 65,535 bytes.</exception>
    public void Set(string key, object value)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentNullException.ThrowIfNull(value);
        if (System.Text.Encoding.UTF8.GetByteCount(key) > GgufValue.LongestKey)
            throw new ArgumentException($"The key is longer than {GgufValue.LongestKey} bytes.", nameof(key));
        if (!GgufValue.IsValid(value, 0))
            throw new ArgumentException($"GGUF has no values of type {value.GetType()} (key '{key}').", nameof(value));
        _values[key] = value;
    }

    /// <summary>Removes a key, if it is there.</summary>
    public bool Remove(string key) => _values.Remove(key);

    /// <summary>Finds a value of exactly one type.</summary>
    public bool TryGet<T>(string key, [NotNullWhen(true)] out T? value)
    {
        value = default;
        if (!_values.TryGetValue(key, out object? found) || (found is T ? found : Whole(found)) is not T typed)
            return false;
        value = typed;
        return true;
    }

    /// <summary>Finds an integer of any width that fits 64 bits with sign: writers differ in the widths they choose.</summary>
    public bool TryGetInteger(string key, out long value)
    {
        value = 0;
        if (!_values.TryGetValue(key, out object? found) || found is not (byte or sbyte or ushort or short or uint or int or long or ulong and <= long.MaxValue))
            return false;
        value = Convert.ToInt64(found, CultureInfo.InvariantCulture);
        return true;
    }

    /// <summary>Finds a list of integers of any width that fit 64 bits with sign.</summary>
    internal bool TryGetIntegers(string key, [NotNullWhen(true)] out long[]? values)
    {
        values = null;
        if (!_values.TryGetValue(key, out object? found) || found is not (byte[] or sbyte[] or ushort[] or short[] or uint[] or int[] or long[] or ulong[]))
            return false;
        // For the runtime a long[] is a ulong[] as well.
        if (found.GetType() == typeof(ulong[]) && Array.Exists((ulong[])found, v => v > long.MaxValue))
            return false;
        Array list = (Array)found;
        values = new long[list.Length];
        Array.Copy(list, values, list.Length);
        return true;
    }

    /// <summary>Finds a number of any type.</summary>
    public bool TryGetNumber(string key, out double value)
    {
        bool isNumber = _values.TryGetValue(key, out object? found) && found is not (bool or string or Array or TextList);
        value = isNumber ? Convert.ToDouble(found, CultureInfo.InvariantCulture) : 0;
        return isNumber;
    }

    /// <summary>The scalars as text; arrays are left out.</summary>
    internal Dictionary<string, string> ToText() => _values
        .Where(v => v.Value is not (Array or TextList))
        .ToDictionary(v => v.Key, v => Convert.ToString(v.Value, CultureInfo.InvariantCulture)!, StringComparer.Ordinal);

    private static object Whole(object value) => value is TextList texts ? texts.ToArray() : value;
}
