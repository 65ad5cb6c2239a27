using System.Buffers.Binary;
using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>
/// A file of <c>torch.save</c> before PyTorch 1.6: pickles one after another (a magic number, the version 1001, what the machine was, the
/// object, the keys of its storages), then for each key a count of elements and the elements. Nothing is executed. Source:
/// torch/serialization.py, _legacy_save. Left out: files before 0.4 (tar archives), storages that are a part of another one.
/// </summary>
internal static class PyTorchLegacy
{
    /// <summary>The first bytes: a pickle, protocol 2, of the number 0x1950a86a20f9469cfc6c.</summary>
    public static ReadOnlySpan<byte> Magic => [0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, (byte)'.'];

    private const long Version = 1001;

    /// <summary>Reads the object.</summary>
    /// <param name="file">A file that begins with <see cref="Magic"/>.</param>
    /// <param name="longest">The most bytes that its pickles may have.</param>
    /// <exception cref="FormatException">It is damaged; the message says how.</exception>
    /// <exception cref="InvalidDataException">It wants something that is refused.</exception>
    public static object? Read(MappedFile file, int longest)
    {
        ReadOnlySpan<byte> pickles = file.Span(0, (int)Math.Min(file.Length, longest));
        PyTorchObjects none = new(file.Path, _ => null);
        int at = Magic.Length;
        if (Next(pickles, ref at, none) is not Version)
            throw new FormatException($"its version is not {Version}");
        if (Next(pickles, ref at, none) is not PickleMap machine || machine.Pairs.Find(p => p.Key is "little_endian").Value is not true)
            throw new FormatException("it was saved on a big-endian machine, which is not supported");
        // The storages follow the object, so it is read twice: for what it asks for, and with the places of that.
        int start = at;
        PyTorchObjects scan = new(file.Path, _ => (0, long.MaxValue));
        _ = Next(pickles, ref at, scan);
        Dictionary<string, (long Offset, long Length)> places = new(StringComparer.Ordinal);
        if (Next(pickles, ref at, none) is not PickleList keys)
            throw new FormatException("the keys of its storages are not a list");
        long end = at;
        foreach (object? key in keys.Items)
            end = Place(file, key as string ?? throw new FormatException("the key of a storage is not a text"), scan, end, places);
        return Next(pickles, ref start, new PyTorchObjects(file.Path, key => places.TryGetValue(key, out (long, long) place) ? place : null));
    }

    private static object? Next(ReadOnlySpan<byte> pickles, ref int at, PyTorchObjects objects)
    {
        object? value = PickleReader.Read(pickles[at..], objects, out int length);
        at += length;
        return value;
    }

    private static long Place(MappedFile file, string key, PyTorchObjects scan, long at, Dictionary<string, (long Offset, long Length)> places)
    {
        if (!scan.Wanted.TryGetValue(key, out (DType DType, long Count) wanted))
            throw new FormatException($"its storage {Malformed.Quote(key)} belongs to nothing");
        if (at > file.Length - sizeof(long))
            throw new FormatException($"it ends before its storage {Malformed.Quote(key)}");
        long count = BinaryPrimitives.ReadInt64LittleEndian(file.Span(at, sizeof(long)));
        long start = at + sizeof(long);
        if (count != wanted.Count || count > (file.Length - start) / wanted.DType.Size())
            throw new FormatException($"it has {count} elements of its storage {Malformed.Quote(key)} instead of {wanted.Count}, or ends within them");
        long length = count * wanted.DType.Size();
        if (!places.TryAdd(key, (start, length)))
            throw new FormatException($"its storage {Malformed.Quote(key)} occurs twice");
        return start + length;
    }
}
