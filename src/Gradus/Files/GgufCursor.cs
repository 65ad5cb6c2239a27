using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Gradus.Text;

namespace Gradus.Files;

/// <summary>A place in the header of a GGUF file; every step is checked against the file's end.</summary>
internal ref struct GgufCursor(MappedFile file)
{
    /// <summary>The next byte.</summary>
    public long Position { get; private set; }

    private readonly long Left => file.Length - Position;

    /// <summary>Takes a number.</summary>
    public T Take<T>()
        where T : unmanaged => MemoryMarshal.Read<T>(TakeBytes(Unsafe.SizeOf<T>()));

    /// <summary>Takes a byte that is 0 or 1.</summary>
    public bool TakeBool() => Take<byte>() switch
    {
        0 => false,
        1 => true,
        byte other => throw Damaged($"has a truth value of {other}"),
    };

    /// <summary>Takes a count of things of at least so many bytes each; there cannot be more than the file has room for.</summary>
    public int TakeCount(int bytesEach)
    {
        ulong count = Take<ulong>();
        return count <= (ulong)(Left / bytesEach) && count <= (ulong)Array.MaxLength
            ? (int)count
            : throw Damaged($"announces {count} values, more than the file has room for");
    }

    /// <summary>Takes an array of numbers.</summary>
    public T[] TakeMany<T>()
        where T : unmanaged
    {
        T[] values = new T[TakeCount(Unsafe.SizeOf<T>())];
        Span<byte> bytes = MemoryMarshal.AsBytes(values.AsSpan());
        TakeBytes(bytes.Length).CopyTo(bytes);
        return values;
    }

    /// <summary>Takes a text.</summary>
    public string TakeString(int longest = int.MaxValue)
    {
        int length = TakeCount(1);
        return length <= longest ? Encoding.UTF8.GetString(TakeBytes(length)) : throw Damaged($"has a name of {length} bytes");
    }

    /// <summary>Takes a list of texts.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public TextList TakeTexts()
    {
        int count = TakeCount(sizeof(ulong));
        TextList texts = new(count);
        for (int i = 0; i < count; i++)
            texts.Add(TakeBytes(TakeCount(1)));
        return texts;
    }

    /// <summary>The error for a damaged file.</summary>
    public readonly InvalidDataException Damaged(string what) =>
        Malformed.File(file.Path, $"{what} (at byte {Position}); it is truncated or damaged, get it again.");

    private ReadOnlySpan<byte> TakeBytes(int count)
    {
        if (count > Left)
            throw Damaged($"ends within its header, after {file.Length} bytes");
        Position += count;
        return file.Span(Position - count, count);
    }
}
