using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>
/// Writes one <c>.safetensors</c> file as a stream. The same tensors give the same bytes whatever their declared order: they are
/// laid out widest type first, then by name, as the reference implementation does.
/// </summary>
public sealed class SafetensorsWriter : TensorFileWriter
{
    // The reference implementation's order of types; among equals the names decide.
    private static readonly DType[] Order =
    [
        DType.U64, DType.I64, DType.F64, DType.F32, DType.U32, DType.I32, DType.BF16, DType.F16,
        DType.U16, DType.I16, DType.I8, DType.U8, DType.Bool,
    ];

    private static readonly Dictionary<string, string> PyTorch = new() { ["format"] = "pt" };

    /// <summary>Starts a file: sorts the tensors and writes the header.</summary>
    /// <param name="stream">Where to write; closed with the writer unless <paramref name="leaveOpen"/>.</param>
    /// <param name="entries">The tensors, in any order; plain types only.</param>
    /// <param name="metadata">The <c>__metadata__</c> object; null writes <c>{"format":"pt"}</c>, which transformers asks for.</param>
    /// <param name="leaveOpen">Whether <paramref name="stream"/> stays open after <see cref="TensorFileWriter.Dispose"/>.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, a tensor is packed, or a name is reserved.</exception>
    public SafetensorsWriter(Stream stream, IEnumerable<TensorEntry> entries, IReadOnlyDictionary<string, string>? metadata = null, bool leaveOpen = false)
        : base(stream, Sort(entries), leaveOpen) => Begin(Header(Entries, metadata ?? PyTorch));

    /// <summary>The order in which tensors lie in a file.</summary>
    public static TensorEntry[] Sort(IEnumerable<TensorEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        return [.. entries.OrderBy(e => Array.IndexOf(Order, e.DType)).ThenBy(e => e.Name, StringComparer.Ordinal)];
    }

    private static byte[] Header(IReadOnlyList<TensorEntry> entries, IReadOnlyDictionary<string, string> metadata)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata.OrderBy(m => m.Key, StringComparer.Ordinal))
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            WriteEntries(json, entries);
            json.WriteEndObject();
        }
        int length = (buffer.WrittenCount + 7) / 8 * 8;
        if (length > SafetensorsFile.LongestHeader)
            throw new ArgumentException($"{entries.Count} tensors need a header of {length} bytes, more than the {SafetensorsFile.LongestHeader} allowed; write shards.", nameof(entries));
        byte[] header = new byte[8 + length];
        BinaryPrimitives.WriteInt64LittleEndian(header, length);
        header.AsSpan(8).Fill((byte)' ');
        buffer.WrittenSpan.CopyTo(header.AsSpan(8));
        return header;
    }

    private static void WriteEntries(Utf8JsonWriter json, IReadOnlyList<TensorEntry> entries)
    {
        HashSet<string> names = new(StringComparer.Ordinal) { "__metadata__" };
        long offset = 0;
        foreach (TensorEntry entry in entries)
        {
            if (!names.Add(entry.Name))
                throw new ArgumentException($"The tensor name '{entry.Name}' is reserved or declared twice.", nameof(entries));
            if (entry.Packed is not null)
                throw new ArgumentException($"Tensor '{entry.Name}' is packed as {entry.Packed}, which safetensors does not store; unpack it or store its bytes as U8.", nameof(entries));
            json.WriteStartObject(entry.Name);
            json.WriteString("dtype", SafetensorsHeader.TypeName(entry.DType));
            json.WriteStartArray("shape");
            for (int i = 0; i < entry.Shape.Rank; i++)
                json.WriteNumberValue(entry.Shape[i]);
            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(offset);
            json.WriteNumberValue(offset = checked(offset + entry.ByteLength));
            json.WriteEndArray();
            json.WriteEndObject();
        }
    }
}
