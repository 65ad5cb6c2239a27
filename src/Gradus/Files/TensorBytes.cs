using System.Runtime.InteropServices;

namespace Gradus.Files;

/// <summary>
/// The bytes of one tensor where they lie in memory (little-endian, row-major), valid until the <see cref="TensorFile"/> they
/// came from is disposed, or longer by their <see cref="Owner"/>. The address need not be a multiple of the element size.
/// </summary>
public readonly unsafe struct TensorBytes
{
    /// <summary>Wraps memory that outlives this value.</summary>
    public TensorBytes(byte* pointer, long length)
    {
        Pointer = pointer;
        Length = length;
    }

    /// <summary>The first byte; null only when <see cref="Length"/> is 0. Read-only memory: writing to it ends the process.</summary>
    public byte* Pointer { get; }

    /// <summary>
    /// What holds the memory, if a reference to it makes the bytes outlive the file they came from; else null. Those who keep one call
    /// <see cref="SafeHandle.DangerousAddRef"/>.
    /// </summary>
    public SafeHandle? Owner { get; init; }

    /// <summary>The number of bytes; may exceed 2³¹.</summary>
    public long Length { get; }

    /// <summary>All bytes as one span.</summary>
    /// <exception cref="InvalidOperationException">There are more than 2³¹ − 1; take slices.</exception>
    public ReadOnlySpan<byte> Span => Length <= int.MaxValue
        ? new ReadOnlySpan<byte>(Pointer, (int)Length)
        : throw new InvalidOperationException($"The tensor has {Length} bytes, more than one span holds; take slices.");

    /// <summary>A part of the bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie inside.</exception>
    public ReadOnlySpan<byte> Slice(long start, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - start);
        return new ReadOnlySpan<byte>(Pointer + start, length);
    }
}
