using System.Buffers.Binary;
using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>
/// One <c>.safetensors</c> file, memory-mapped. Source: https://huggingface.co/docs/safetensors (8 bytes header length, JSON
/// header, data without holes). The header is untrusted. Element types that <see cref="DType"/> does not have (8-bit and narrower floats,
/// complex numbers) are listed and their bytes can be copied, but their values are not read.
/// </summary>
public sealed class SafetensorsFile : TensorFile
{
    /// <summary>The longest header that is read, as in the reference implementation.</summary>
    public const int LongestHeader = 100_000_000;

    private readonly MappedFile _file;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header)
        : base(file.Path, header.Entries, header.Metadata) => _file = file;

    /// <summary>Opens and checks a file.</summary>
    /// <exception cref="InvalidDataException">The file is truncated, or its header is wrong in any way.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static new SafetensorsFile Open(string path)
    {
        MappedFile file = new(path);
        try
        {
            return new SafetensorsFile(file, ReadHeader(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    private protected override TensorBytes Locate(TensorEntry entry) => _file.Bytes(entry.Offset, entry.ByteLength);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _file.Dispose();
    }

    private static SafetensorsHeader ReadHeader(MappedFile file)
    {
        if (file.Length < 8)
            throw ForeignFile.Refuse(file, $"has {file.Length} bytes, too few for a safetensors file; it is truncated or of another format, get it again.");
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(file.Span(0, 8));
        if (length > LongestHeader)
            throw ForeignFile.Refuse(file, $"says that its header has {length} bytes, more than the {LongestHeader} allowed; it is not a safetensors file.");
        if (length == 0)
            throw ForeignFile.Refuse(file, "has a header of 0 bytes; it is damaged, get it again.");
        if ((long)length > file.Length - 8)
            throw ForeignFile.Refuse(file, $"says that its header has {length} bytes, but only {file.Length - 8} follow; it is truncated, get it again.");
        return SafetensorsHeader.Parse(file.Path, file.Span(8, (int)length), 8 + (long)length, file.Length);
    }
}
