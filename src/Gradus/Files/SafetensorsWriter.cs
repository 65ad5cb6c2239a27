using System.Buffers;
using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>
/// Writes one <c>.safetensors</c> file as a stream: the tensors are declared first, then their data follows tensor by tensor, so
/// that no more than one piece of one tensor is in memory. The same tensors give the same bytes whatever their declared order:
/// they are laid out widest type first, then by name, as the reference implementation does.
/// </summary>
public sealed class SafetensorsWriter : IDisposable
{
    private const int BufferElements = 1 << 16;

    // The reference implementation's order of types; among equals the names decide.
    private static readonly DType[] Order =
    [
        DType.U64, DType.I64, DType.F64, DType.F32, DType.U32, DType.I32, DType.BF16, DType.F16,
        DType.U16, DType.I16, DType.I8, DType.U8, DType.Bool,
    ];

    private static readonly Dictionary<string, string> PyTorch = new() { ["format"] = "pt" };
    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private int _current;
    private long _written;

    /// <summary>Starts a file: sorts the tensors and writes the header.</summary>
    /// <param name="stream">Where to write; closed with the writer unless <paramref name="leaveOpen"/>.</param>
    /// <param name="entries">The tensors, in any order; plain types only.</param>
    /// <param name="metadata">The <c>__metadata__</c> object; null writes <c>{"format":"pt"}</c>, which transformers asks for.</param>
    /// <param name="leaveOpen">Whether <paramref name="stream"/> stays open after <see cref="Dispose"/>.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, a tensor is packed, or a name is reserved.</exception>
    public SafetensorsWriter(Stream stream, IEnumerable<TensorEntry> entries, IReadOnlyDictionary<string, string>? metadata = null, bool leaveOpen = false)
    {
        ArgumentNullException.ThrowIfNull(stream);
        _stream = stream;
        _leaveOpen = leaveOpen;
        Entries = Sort(entries);
        byte[] header = Header(Entries, metadata ?? PyTorch);
        Length = header.Length + Entries.Sum(e => e.ByteLength);
        _stream.Write(header);
        SkipEmpty();
    }

    /// <summary>The tensors in the order in which their data is to be written.</summary>
    public IReadOnlyList<TensorEntry> Entries { get; }

    /// <summary>The length of the finished file in bytes.</summary>
    public long Length { get; }

    /// <summary>The order in which tensors lie in a file.</summary>
    public static TensorEntry[] Sort(IEnumerable<TensorEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        return [.. entries.OrderBy(e => Array.IndexOf(Order, e.DType)).ThenBy(e => e.Name, StringComparer.Ordinal)];
    }

    /// <summary>Writes the next bytes of a tensor. Tensors come in the order of <see cref="Entries"/>, each in one or more pieces.</summary>
    /// <param name="name">The tensor; given to catch a mistaken order.</param>
    /// <param name="bytes">Elements, little-endian and row-major.</param>
    /// <exception cref="InvalidOperationException">It is another tensor's turn, or the tensor gets more bytes than declared.</exception>
    public void Write(string name, ReadOnlySpan<byte> bytes)
    {
        if (Turn(name, bytes.IsEmpty) is not { } entry)
            return;
        if (bytes.Length > entry.ByteLength - _written)
            throw new InvalidOperationException($"Tensor '{name}' of shape {entry.Shape} and type {entry.DType} takes {entry.ByteLength} bytes, not {_written + bytes.Length}.");
        _stream.Write(bytes);
        _written += bytes.Length;
        if (_written == entry.ByteLength)
        {
            _current++;
            _written = 0;
            SkipEmpty();
        }
    }

    /// <summary>Writes all bytes of a tensor from where they lie.</summary>
    /// <exception cref="InvalidOperationException">It is another tensor's turn, or the tensor gets more bytes than declared.</exception>
    public void Write(string name, TensorBytes bytes)
    {
        const int Piece = 1 << 24;
        for (long start = 0; start < bytes.Length; start += Piece)
            Write(name, bytes.Slice(start, (int)Math.Min(Piece, bytes.Length - start)));
    }

    /// <summary>Writes the next values of a tensor, rounded to its declared floating-point type (to nearest, ties to even).</summary>
    /// <exception cref="ArgumentException">The tensor is declared with an integer type.</exception>
    /// <exception cref="InvalidOperationException">It is another tensor's turn, or the tensor gets more values than declared.</exception>
    public void Write(string name, ReadOnlySpan<float> values)
    {
        if (Turn(name, values.IsEmpty) is not { } entry)
            return;
        DType type = entry.DType;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferElements * type.Size());
        try
        {
            for (; !values.IsEmpty; values = values[Math.Min(BufferElements, values.Length)..])
            {
                ReadOnlySpan<float> part = values[..Math.Min(BufferElements, values.Length)];
                Span<byte> bytes = buffer.AsSpan(0, part.Length * type.Size());
                ElementConversion.FromSingle(type, part, bytes);
                Write(name, bytes);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Ends the file.</summary>
    /// <exception cref="InvalidOperationException">A tensor is not fully written.</exception>
    public void Complete()
    {
        if (_current < Entries.Count)
            throw new InvalidOperationException($"Tensor '{Entries[_current].Name}' lacks {Entries[_current].ByteLength - _written} of its {Entries[_current].ByteLength} bytes.");
        _stream.Flush();
    }

    /// <summary>Closes the stream. Without <see cref="Complete"/> the file is unfinished and must not be kept.</summary>
    public void Dispose()
    {
        if (!_leaveOpen)
            _stream.Dispose();
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

    /// <summary>The tensor that is written now if that is the named one; null for nothing to write, since empty tensors are passed over.</summary>
    private TensorEntry? Turn(string name, bool empty)
    {
        TensorEntry? entry = _current < Entries.Count ? Entries[_current] : null;
        if (entry?.Name == name)
            return entry;
        if (empty)
            return null;
        throw new InvalidOperationException(entry is null
            ? $"All {Entries.Count} tensors are written; there is no room for more of '{name}'."
            : $"It is the turn of '{entry.Name}' ({entry.ByteLength - _written} bytes to come), not of '{name}'.");
    }

    private void SkipEmpty()
    {
        while (_current < Entries.Count && Entries[_current].ByteLength == 0)
            _current++;
    }
}
