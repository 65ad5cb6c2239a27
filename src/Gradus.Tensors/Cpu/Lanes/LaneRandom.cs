using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Gradus.Tensors.Cpu;

/// <summary>Neighbouring draws of a stream of <see cref="CounterRandom"/> side by side: bit for bit those of <see cref="CounterRandom.Bits64"/>.</summary>
internal static class LaneRandom
{
    private const ulong Step = 0x9E3779B97F4A7C15UL;
    private const ulong First = 0xBF58476D1CE4E5B9UL;
    private const ulong Second = 0x94D049BB133111EBUL;

    /// <summary>Two draws, from number <paramref name="index"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<ulong> Two(ulong key, long index)
    {
        Vector128<ulong> z = Vector128.Create(Start(key, index)) + Vector128.Create(0, Step);
        z = (z ^ (z >>> 30)) * Vector128.Create(First);
        z = (z ^ (z >>> 27)) * Vector128.Create(Second);
        return z ^ (z >>> 31);
    }

    /// <summary>Four draws, from number <paramref name="index"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Four(ulong key, long index)
    {
        Vector256<ulong> z = Vector256.Create(Start(key, index)) + Vector256.Create(0, Step, unchecked(2 * Step), unchecked(3 * Step));
        z = (z ^ (z >>> 30)) * Vector256.Create(First);
        z = (z ^ (z >>> 27)) * Vector256.Create(Second);
        return z ^ (z >>> 31);
    }

    /// <summary>Eight draws, from number <paramref name="index"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> Eight(ulong key, long index)
    {
        Vector512<ulong> multiples = Vector512.Create(
            0, Step, unchecked(2 * Step), unchecked(3 * Step), unchecked(4 * Step), unchecked(5 * Step), unchecked(6 * Step), unchecked(7 * Step));
        Vector512<ulong> z = Vector512.Create(Start(key, index)) + multiples;
        z = (z ^ (z >>> 30)) * Vector512.Create(First);
        z = (z ^ (z >>> 27)) * Vector512.Create(Second);
        return z ^ (z >>> 31);
    }

    private static ulong Start(ulong key, long index) => key + ((ulong)(index + 1) * Step);
}
