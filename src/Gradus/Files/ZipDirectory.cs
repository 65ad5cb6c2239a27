using System.Buffers.Binary;
using System.Text;

namespace Gradus.Files;

/// <summary>
/// Where the stored files of a memory-mapped zip archive lie. Source: PKWARE APPNOTE (end record, zip64 records, central and
/// local headers). Left out: compression and encryption (PyTorch stores without them), so that every file can be read in place,
/// and archives in several parts.
/// </summary>
internal sealed class ZipDirectory
{
    private const int EndBytes = 22;
    private const int CentralBytes = 46;
    private const int LocalBytes = 30;
    private readonly MappedFile _file;
    private readonly Dictionary<string, (long Offset, long Length)> _places = new(StringComparer.Ordinal);

    /// <summary>Reads and checks the directory.</summary>
    /// <exception cref="InvalidDataException">The archive is truncated or damaged, or something in it is compressed.</exception>
    public ZipDirectory(MappedFile file)
    {
        _file = file;
        (long count, long size, long start) = FindDirectory();
        if (start < 0 || size < 0 || start > file.Length - size || count < 0 || count > size / CentralBytes)
            throw Damaged("its directory does not lie inside the file");
        long at = start, end = start + size;
        for (long i = 0; i < count; i++)
            at = ReadEntry(at, end);
    }

    /// <summary>The places of all files by name.</summary>
    public IReadOnlyDictionary<string, (long Offset, long Length)> Places => _places;

    private (long Count, long Size, long Start) FindDirectory()
    {
        // The end record is last but for a comment of at most 65,535 bytes.
        int tail = (int)Math.Min(_file.Length, EndBytes + ushort.MaxValue);
        ReadOnlySpan<byte> bytes = _file.Span(_file.Length - tail, tail);
        for (int at = tail - EndBytes; at >= 0; at--)
        {
            ReadOnlySpan<byte> end = bytes[at..];
            if (BinaryPrimitives.ReadUInt32LittleEndian(end) != 0x0605_4B50 || BinaryPrimitives.ReadUInt16LittleEndian(end[20..]) != end.Length - EndBytes)
                continue;
            long count = BinaryPrimitives.ReadUInt16LittleEndian(end[10..]);
            long size = BinaryPrimitives.ReadUInt32LittleEndian(end[12..]);
            long start = BinaryPrimitives.ReadUInt32LittleEndian(end[16..]);
            bool zip64 = count == ushort.MaxValue || size == uint.MaxValue || start == uint.MaxValue;
            return zip64 ? FindDirectory64(_file.Length - tail + at) : (count, size, start);
        }
        throw Damaged("its end record is missing");
    }

    private (long Count, long Size, long Start) FindDirectory64(long end)
    {
        const int LocatorBytes = 20, RecordBytes = 56;
        if (end < LocatorBytes)
            throw Damaged("its zip64 locator is missing");
        ReadOnlySpan<byte> locator = _file.Span(end - LocatorBytes, LocatorBytes);
        long at = BinaryPrimitives.ReadInt64LittleEndian(locator[8..]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(locator) != 0x0706_4B50 || at < 0 || at > _file.Length - RecordBytes)
            throw Damaged("its zip64 locator is wrong");
        ReadOnlySpan<byte> record = _file.Span(at, RecordBytes);
        if (BinaryPrimitives.ReadUInt32LittleEndian(record) != 0x0606_4B50)
            throw Damaged("its zip64 record is wrong");
        return (BinaryPrimitives.ReadInt64LittleEndian(record[32..]), BinaryPrimitives.ReadInt64LittleEndian(record[40..]), BinaryPrimitives.ReadInt64LittleEndian(record[48..]));
    }

    private long ReadEntry(long at, long end)
    {
        if (end - at < CentralBytes)
            throw Damaged("its directory ends early");
        ReadOnlySpan<byte> fixedPart = _file.Span(at, CentralBytes);
        int nameLength = BinaryPrimitives.ReadUInt16LittleEndian(fixedPart[28..]);
        int extraLength = BinaryPrimitives.ReadUInt16LittleEndian(fixedPart[30..]);
        long next = at + CentralBytes + nameLength + extraLength + BinaryPrimitives.ReadUInt16LittleEndian(fixedPart[32..]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(fixedPart) != 0x0201_4B50 || next > end)
            throw Damaged("its directory is wrong");
        string name = Encoding.UTF8.GetString(_file.Span(at + CentralBytes, nameLength));
        int flags = BinaryPrimitives.ReadUInt16LittleEndian(fixedPart[8..]);
        int method = BinaryPrimitives.ReadUInt16LittleEndian(fixedPart[10..]);
        long packed = BinaryPrimitives.ReadUInt32LittleEndian(fixedPart[20..]);
        long length = BinaryPrimitives.ReadUInt32LittleEndian(fixedPart[24..]);
        long local = BinaryPrimitives.ReadUInt32LittleEndian(fixedPart[42..]);
        ReadExtra(_file.Span(at + CentralBytes + nameLength, extraLength), ref length, ref packed, ref local);
        if (method != 0 || (flags & 1) != 0 || packed != length)
            throw Malformed.File(_file.Path, $"has {Malformed.Quote(name)} compressed or encrypted, which PyTorch does not do; unpack and save it again, or convert it to safetensors.");
        if (!_places.TryAdd(name, (DataStart(local, length, name), length)))
            throw Damaged($"{Malformed.Quote(name)} is in it twice");
        return next;
    }

    /// <summary>Reads the 64-bit sizes, which stand in this order for the 32-bit ones that are all ones.</summary>
    private static void ReadExtra(ReadOnlySpan<byte> extra, ref long length, ref long packed, ref long local)
    {
        while (extra.Length >= 4)
        {
            int id = BinaryPrimitives.ReadUInt16LittleEndian(extra);
            int size = Math.Min(BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]), extra.Length - 4);
            ReadOnlySpan<byte> field = extra.Slice(4, size);
            if (id == 1)
            {
                Take(ref field, ref length);
                Take(ref field, ref packed);
                Take(ref field, ref local);
                return;
            }
            extra = extra[(4 + size)..];
        }

        static void Take(ref ReadOnlySpan<byte> field, ref long value)
        {
            if (value != uint.MaxValue || field.Length < 8)
                return;
            value = BinaryPrimitives.ReadInt64LittleEndian(field);
            field = field[8..];
        }
    }

    private long DataStart(long local, long length, string name)
    {
        if (local >= 0 && length >= 0 && local <= _file.Length - LocalBytes)
        {
            ReadOnlySpan<byte> header = _file.Span(local, LocalBytes);
            long start = local + LocalBytes + BinaryPrimitives.ReadUInt16LittleEndian(header[26..]) + BinaryPrimitives.ReadUInt16LittleEndian(header[28..]);
            if (BinaryPrimitives.ReadUInt32LittleEndian(header) == 0x0403_4B50 && start <= _file.Length - length)
                return start;
        }
        throw Damaged($"{Malformed.Quote(name)} does not lie inside the file");
    }

    private InvalidDataException Damaged(string what) =>
        Malformed.File(_file.Path, $"is not a whole zip archive ({what}); it is truncated or damaged, get it again.");
}
