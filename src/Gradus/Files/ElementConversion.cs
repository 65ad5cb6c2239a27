using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>Converts between stored elements (little-endian, at any address) and <see cref="float"/>.</summary>
internal static class ElementConversion
{
    /// <summary>Widens or rounds stored elements to float; <paramref name="source"/> holds as many elements as <paramref name="destination"/>.</summary>
    public static void ToSingle(DType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case DType.F32: source.CopyTo(MemoryMarshal.AsBytes(destination)); break;
            case DType.F16: TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), destination); break;
            case DType.BF16: WidenBFloat16(MemoryMarshal.Cast<byte, ushort>(source), destination); break;
            case DType.F64: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, double>(source), destination); break;
            case DType.I8: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, sbyte>(source), destination); break;
            case DType.U8: TensorPrimitives.ConvertTruncating(source, destination); break;
            case DType.I16: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, short>(source), destination); break;
            case DType.U16: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, ushort>(source), destination); break;
            case DType.I32: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, int>(source), destination); break;
            case DType.U32: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, uint>(source), destination); break;
            case DType.I64: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, long>(source), destination); break;
            case DType.U64: TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, ulong>(source), destination); break;
            case DType.Bool:
                for (int i = 0; i < destination.Length; i++)
                    destination[i] = source[i] == 0 ? 0 : 1;
                break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "not a DType");
        }
    }

    /// <summary>Rounds floats to a stored floating-point type, to nearest with ties to even.</summary>
    /// <exception cref="ArgumentException"><paramref name="type"/> is not a floating-point type.</exception>
    public static void FromSingle(DType type, ReadOnlySpan<float> source, Span<byte> destination)
    {
        switch (type)
        {
            case DType.F32: MemoryMarshal.AsBytes(source).CopyTo(destination); break;
            case DType.F16: TensorPrimitives.ConvertToHalf(source, MemoryMarshal.Cast<byte, Half>(destination)); break;
            case DType.BF16: NarrowBFloat16(source, MemoryMarshal.Cast<byte, ushort>(destination)); break;
            case DType.F64: TensorPrimitives.ConvertTruncating(source, MemoryMarshal.Cast<byte, double>(destination)); break;
            default: throw new ArgumentException($"Floats are stored as F32, F16, BF16 or F64, not as {type}.", nameof(type));
        }
    }

    private static void WidenBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(destination);
        int i = 0;
        for (int width = Vector<ushort>.Count; i <= source.Length - width; i += width)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            (low << 16).CopyTo(bits[i..]);
            (high << 16).CopyTo(bits[(i + Vector<uint>.Count)..]);
        }
        for (; i < source.Length; i++)
            bits[i] = (uint)source[i] << 16;
    }

    private static void NarrowBFloat16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(source);
        int i = 0;
        for (int width = Vector<ushort>.Count; i <= source.Length - width; i += width)
            Vector.Narrow(Round(new Vector<uint>(bits[i..])), Round(new Vector<uint>(bits[(i + Vector<uint>.Count)..]))).CopyTo(destination[i..]);
        for (; i < source.Length; i++)
            destination[i] = (ushort)Round(new Vector<uint>(bits[i]))[0];
    }

    /// <summary>The upper halves of binary32 bit patterns, rounded to nearest with ties to even.</summary>
    private static Vector<uint> Round(Vector<uint> bits)
    {
        Vector<uint> rounded = (bits + new Vector<uint>(0x7FFF) + ((bits >> 16) & Vector<uint>.One)) >> 16;
        // Rounding would carry a NaN with only low fraction bits into infinity: keep it a quiet NaN instead.
        Vector<uint> isNaN = Vector.GreaterThan(bits & new Vector<uint>(0x7FFF_FFFF), new Vector<uint>(0x7F80_0000));
        return Vector.ConditionalSelect(isNaN, (bits >> 16) | new Vector<uint>(0x40), rounded);
    }
}
