namespace Gradus.Tensors.Cpu;

/// <summary>
/// A register of float lanes. Kernels are written once over <typeparamref name="TSelf"/> and the JIT makes one version per width. Lanes
/// also carry masks (all bits set or none, from the comparisons) and 32-bit integers (the members that speak of bits).
/// </summary>
/// <remarks>
/// Members round to nearest even and never trap. Where one operand of <see cref="Max"/> or <see cref="Min"/> is NaN the result is the
/// second operand on x86 and NaN on Arm: give the value that may be NaN second, and NaN comes through everywhere.
/// </remarks>
internal unsafe interface ILanes<TSelf>
    where TSelf : unmanaged, ILanes<TSelf>
{
    /// <summary>The number of lanes: 1, 4, 8 or 16.</summary>
    static abstract int Width { get; }

    /// <summary>Zero in every lane.</summary>
    static abstract TSelf Zero { get; }

    /// <summary>One value in every lane.</summary>
    static abstract TSelf Broadcast(float value);

    /// <summary>One bit pattern in every lane.</summary>
    static abstract TSelf BroadcastBits(int bits);

    /// <summary>Reads Width floats.</summary>
    static abstract TSelf Load(float* from);

    /// <summary>Writes Width floats.</summary>
    static abstract void Store(float* to, TSelf value);

    /// <summary>Reads <paramref name="count"/> floats, 0 to Width, and no byte more; the other lanes are zero.</summary>
    static abstract TSelf LoadTail(float* from, int count);

    /// <summary>Writes the first <paramref name="count"/> lanes, 0 to Width, and no byte more.</summary>
    static abstract void StoreTail(float* to, int count, TSelf value);

    /// <summary>Reads Width 16-bit integers into the low half of each lane's bits; the high half is zero.</summary>
    static abstract TSelf LoadBits16(ushort* from);

    /// <summary>Reads Width bytes into the lowest quarter of each lane's bits; the rest is zero.</summary>
    static abstract TSelf LoadBits8(byte* from);

    /// <summary>Takes from each lane's bits, 0 to 15, that element of a table of 16 floats.</summary>
    static abstract TSelf Lookup(float* table, TSelf bits);

    /// <summary>Writes the low half of each lane's bits.</summary>
    static abstract void StoreBits16(ushort* to, TSelf bits);

    /// <summary>Transposes a block of Width × Width 32-bit elements.</summary>
    /// <param name="rows">Where each of the Width rows lies.</param>
    /// <param name="offset">The block's place in every row, in bytes.</param>
    /// <param name="to">Element (i, j) of the block goes to to[j · stride + i], in ascending j.</param>
    /// <param name="stride">The distance of the written columns, in elements; less than Width lets each overwrite the end of the last.</param>
    static abstract void Transpose(byte** rows, nint offset, float* to, nint stride);

    /// <summary>a + b.</summary>
    static abstract TSelf operator +(TSelf a, TSelf b);

    /// <summary>a − b.</summary>
    static abstract TSelf operator -(TSelf a, TSelf b);

    /// <summary>a · b.</summary>
    static abstract TSelf operator *(TSelf a, TSelf b);

    /// <summary>a / b.</summary>
    static abstract TSelf operator /(TSelf a, TSelf b);

    /// <summary>−a: the sign bit flipped.</summary>
    static abstract TSelf operator -(TSelf a);

    /// <summary>Bitwise and.</summary>
    static abstract TSelf operator &(TSelf a, TSelf b);

    /// <summary>Bitwise or.</summary>
    static abstract TSelf operator |(TSelf a, TSelf b);

    /// <summary>Bitwise exclusive or.</summary>
    static abstract TSelf operator ^(TSelf a, TSelf b);

    /// <summary>a · b + c, rounded once.</summary>
    static abstract TSelf Fma(TSelf a, TSelf b, TSelf c);

    /// <summary>sum = a · b + sum, rounded once; in long loops the JIT keeps the sum in place.</summary>
    static abstract void MultiplyAdd(ref TSelf sum, TSelf a, TSelf b);

    /// <summary>a > b ? a : b.</summary>
    static abstract TSelf Max(TSelf a, TSelf b);

    /// <summary>a &lt; b ? a : b.</summary>
    static abstract TSelf Min(TSelf a, TSelf b);

    /// <summary>The sign bit cleared.</summary>
    static abstract TSelf Abs(TSelf a);

    /// <summary>The square root.</summary>
    static abstract TSelf Sqrt(TSelf a);

    /// <summary>a·2ⁿ, rounded once, for integers |n| ≤ 252 in floats.</summary>
    static abstract TSelf ScaleByPowerOfTwo(TSelf a, TSelf n);

    /// <summary>Mask of a &lt; b; false for NaN.</summary>
    static abstract TSelf Less(TSelf a, TSelf b);

    /// <summary>Mask of a ≤ b; false for NaN.</summary>
    static abstract TSelf LessOrEqual(TSelf a, TSelf b);

    /// <summary>Mask of a = b; false for NaN.</summary>
    static abstract TSelf Equal(TSelf a, TSelf b);

    /// <summary>Mask of a &lt; b, bits as unsigned integers.</summary>
    static abstract TSelf LessBits(TSelf a, TSelf b);

    /// <summary>Mask of equal bit patterns.</summary>
    static abstract TSelf EqualBits(TSelf a, TSelf b);

    /// <summary>Takes a where the mask is set, b elsewhere.</summary>
    static abstract TSelf Select(TSelf mask, TSelf a, TSelf b);

    /// <summary>Sum of the lanes' bits as integers, wrapping.</summary>
    static abstract TSelf AddBits(TSelf a, TSelf b);

    /// <summary>Difference of the lanes' bits as integers, wrapping.</summary>
    static abstract TSelf SubtractBits(TSelf a, TSelf b);

    /// <summary>Bits moved to the left.</summary>
    static abstract TSelf ShiftLeft(TSelf bits, int by);

    /// <summary>Bits moved to the right, zeros from the left.</summary>
    static abstract TSelf ShiftRight(TSelf bits, int by);

    /// <summary>Bits moved to the right, copies of the sign from the left.</summary>
    static abstract TSelf ShiftRightSigned(TSelf bits, int by);

    /// <summary>Each lane's bits, a signed integer, as a float.</summary>
    static abstract TSelf FromInteger(TSelf bits);

    /// <summary>The nearest integer's bits, ties to even; undefined beyond ±2³¹ and for NaN.</summary>
    static abstract TSelf ToInteger(TSelf a);

    /// <summary>The upper halves of Width draws of a key's stream, from number <paramref name="index"/> on (<see cref="CounterRandom.Bits"/>).</summary>
    static abstract TSelf RandomBits(ulong key, long index);

    /// <summary>Width halves of draws of a key's stream, the lower one of each before the upper.</summary>
    /// <param name="key">The key.</param>
    /// <param name="half">The first half's number, twice its draw's for a lower one; even where Width is.</param>
    static abstract TSelf RandomHalves(ulong key, long half);

    /// <summary>The sum over the lanes: halves are added to each other until one lane is left.</summary>
    static abstract float Sum(TSelf a);

    /// <summary>The largest lane, in the order of <see cref="Sum"/>; a NaN may be lost.</summary>
    static abstract float LargestLane(TSelf a);
}
