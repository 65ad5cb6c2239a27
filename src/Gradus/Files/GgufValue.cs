using System.Text;
using Gradus.Text;

namespace Gradus.Files;

/// <summary>Reads and writes the values of GGUF metadata; the type numbers are those of gguf.h.</summary>
internal static class GgufValue
{
    /// <summary>The longest key in bytes.</summary>
    public const int LongestKey = 65535;

    private const uint Bool = 7, String = 8, Array = 9;
    private const int DeepestArray = 4;

    private static readonly Dictionary<Type, uint> Numbers = new()
    {
        [typeof(byte)] = 0,
        [typeof(sbyte)] = 1,
        [typeof(ushort)] = 2,
        [typeof(short)] = 3,
        [typeof(uint)] = 4,
        [typeof(int)] = 5,
        [typeof(float)] = 6,
        [typeof(bool)] = Bool,
        [typeof(string)] = String,
        [typeof(ulong)] = 10,
        [typeof(long)] = 11,
        [typeof(double)] = 12,
    };

    /// <summary>Whether a value can be stored.</summary>
    public static bool IsValid(object value, int depth) => value switch
    {
        Array[] arrays => depth < DeepestArray && System.Array.TrueForAll(arrays, a => a is not null && IsValid(a, depth + 1)),
        string[] texts => System.Array.TrueForAll(texts, t => t is not null),
        TextList => true,
        Array array => array.Rank == 1 && Numbers.ContainsKey(array.GetType().GetElementType()!),
        _ => Numbers.ContainsKey(value.GetType()),
    };

    /// <summary>Reads a value of a type; a list of texts as a <see cref="TextList"/>.</summary>
    public static object Read(ref GgufCursor cursor, uint type) => type switch
    {
        0 => cursor.Take<byte>(),
        1 => cursor.Take<sbyte>(),
        2 => cursor.Take<ushort>(),
        3 => cursor.Take<short>(),
        4 => cursor.Take<uint>(),
        5 => cursor.Take<int>(),
        6 => cursor.Take<float>(),
        Bool => cursor.TakeBool(),
        String => cursor.TakeString(),
        Array => cursor.Take<uint>() is var item && item == String ? cursor.TakeTexts() : ReadArray(ref cursor, item, 0),
        10 => cursor.Take<ulong>(),
        11 => cursor.Take<long>(),
        12 => cursor.Take<double>(),
        _ => throw cursor.Damaged($"has a value of the unknown type {type}"),
    };

    /// <summary>Writes the type of a value, then the value.</summary>
    public static void Write(BinaryWriter writer, object value)
    {
        writer.Write(value is System.Array ? Array : Numbers[value.GetType()]);
        WriteBare(writer, value);
    }

    /// <summary>Writes a text: its length in bytes, then UTF-8.</summary>
    public static void WriteString(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static Array ReadArray(ref GgufCursor cursor, uint type, int depth)
    {
        switch (type)
        {
            case 0: return cursor.TakeMany<byte>();
            case 1: return cursor.TakeMany<sbyte>();
            case 2: return cursor.TakeMany<ushort>();
            case 3: return cursor.TakeMany<short>();
            case 4: return cursor.TakeMany<uint>();
            case 5: return cursor.TakeMany<int>();
            case 6: return cursor.TakeMany<float>();
            case 10: return cursor.TakeMany<ulong>();
            case 11: return cursor.TakeMany<long>();
            case 12: return cursor.TakeMany<double>();
            case Bool:
                bool[] flags = new bool[cursor.TakeCount(1)];
                for (int i = 0; i < flags.Length; i++)
                    flags[i] = cursor.TakeBool();
                return flags;
            case String:
                return cursor.TakeTexts().ToArray();
            case Array when depth < DeepestArray:
                Array[] arrays = new Array[cursor.TakeCount(sizeof(uint) + sizeof(ulong))];
                for (int i = 0; i < arrays.Length; i++)
                    arrays[i] = ReadArray(ref cursor, cursor.Take<uint>(), depth + 1);
                return arrays;
            default: throw cursor.Damaged($"has an array of the unknown type {type}, or arrays nested too deep");
        }
    }

    private static void WriteBare(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case byte v: writer.Write(v); break;
            case sbyte v: writer.Write(v); break;
            case ushort v: writer.Write(v); break;
            case short v: writer.Write(v); break;
            case uint v: writer.Write(v); break;
            case int v: writer.Write(v); break;
            case float v: writer.Write(v); break;
            case bool v: writer.Write(v); break;
            case string v: WriteString(writer, v); break;
            case ulong v: writer.Write(v); break;
            case long v: writer.Write(v); break;
            case double v: writer.Write(v); break;
            case Array array:
                writer.Write(array is Array[]? Array : Numbers[array.GetType().GetElementType()!]);
                writer.Write((ulong)array.Length);
                foreach (object item in array)
                    WriteBare(writer, item);
                break;
        }
    }
}
