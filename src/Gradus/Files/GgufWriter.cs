using System.Text;

namespace Gradus.Files;

/// <summary>
/// Writes one GGUF file (version 3) as a stream; tensors lie in the order in which they are declared. The metadata is the caller's:
/// llama.cpp asks for <c>general.architecture</c>, and for <c>general.quantization_version</c> = 2 where tensors are packed.
/// </summary>
public sealed class GgufWriter : TensorFileWriter
{
    private const uint DefaultAlignment = 32;
    private const int LongestName = 63;
    private readonly uint _alignment;

    /// <summary>Starts a file: writes metadata and the descriptions of the tensors.</summary>
    /// <param name="stream">Where to write; closed with the writer unless <paramref name="leaveOpen"/>.</param>
    /// <param name="metadata">The key-value pairs; <c>general.alignment</c> (a power of two from 8) is obeyed.</param>
    /// <param name="entries">The tensors in the order of the file.</param>
    /// <param name="leaveOpen">Whether <paramref name="stream"/> stays open after <see cref="TensorFileWriter.Dispose"/>.</param>
    /// <exception cref="ArgumentException">
    /// Two tensors have one name, or a name over 63 bytes, more than four axes, or a type that GGUF lacks; or the alignment is none.
    /// </exception>
    public GgufWriter(Stream stream, GgufMetadata metadata, IReadOnlyList<TensorEntry> entries, bool leaveOpen = false)
        : base(stream, entries, leaveOpen)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        ArgumentNullException.ThrowIfNull(entries);
        _alignment = DefaultAlignment;
        if (metadata.Contains("general.alignment"))
        {
            _alignment = metadata.TryGetInteger("general.alignment", out long given) && given is >= 8 and <= 1 << 20 && long.IsPow2(given)
                ? (uint)given
                : throw new ArgumentException("general.alignment is not a power of two from 8 to 1048576.", nameof(metadata));
        }
        Begin(Header(metadata));
    }

    /// <inheritdoc/>
    private protected override int PaddingAfter(TensorEntry entry) => (int)(GgufPart.Align(entry.ByteLength, _alignment) - entry.ByteLength);

    private byte[] Header(GgufMetadata metadata)
    {
        using MemoryStream header = new();
        using BinaryWriter writer = new(header, Encoding.UTF8);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)Entries.Count);
        writer.Write((ulong)metadata.Count);
        foreach ((string key, object value) in metadata.Pairs)
        {
            GgufValue.WriteString(writer, key);
            GgufValue.Write(writer, value);
        }
        WriteEntries(writer);
        header.SetLength(GgufPart.Align(header.Length, _alignment));
        return header.ToArray();
    }

    private void WriteEntries(BinaryWriter writer)
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        long offset = 0;
        foreach (TensorEntry entry in Entries)
        {
            if (!names.Add(entry.Name) || entry.Name.Length == 0 || Encoding.UTF8.GetByteCount(entry.Name) > LongestName)
                throw new ArgumentException($"The tensor name '{entry.Name}' is declared twice, empty, or longer than {LongestName} bytes.");
            if (!GgufType.TryGetNumber(entry, out uint type) || entry.Shape.Rank > 4)
                throw new ArgumentException($"Tensor '{entry.Name}' of type {entry.TypeName} and {entry.Shape.Rank} axes does not fit into GGUF.");
            GgufValue.WriteString(writer, entry.Name);
            writer.Write((uint)entry.Shape.Rank);
            for (int axis = entry.Shape.Rank - 1; axis >= 0; axis--)
                writer.Write((ulong)entry.Shape[axis]);
            writer.Write(type);
            writer.Write((ulong)offset);
            offset = GgufPart.Align(checked(offset + entry.ByteLength), _alignment);
        }
    }
}
