using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>A block format as a type, so that the JIT makes a kernel of each.</summary>
internal interface IPanelFormat
{
    static abstract BlockFormat Format { get; }
}

/// <summary>How the weights of four columns come out of a panel (<see cref="PanelLayout"/>), a byte each.</summary>
internal static unsafe class PanelCodes<T, TColumns, TFormat>
    where T : unmanaged, ILanes<T>
    where TColumns : struct, IFourColumns<T>
    where TFormat : struct, IPanelFormat
{
    private const int Register = 64;

    /// <summary>Steps that a part is taken in: 2 where its halves have scales of their own (Q6_K), or where weights are two bytes (NF4).</summary>
    public static int Passes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFormat.Format is BlockFormat.Q6_K or BlockFormat.NF4 or BlockFormat.NF4Double ? 2 : 1;
    }

    /// <summary>Eights of columns in a pass.</summary>
    public static int Eights
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFormat.Format == BlockFormat.Q6_K ? 2 : 4;
    }

    /// <summary>From one eight to the next, in bytes.</summary>
    public static int EightBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFormat.Format == BlockFormat.Q8_0 ? 2 * Register : Register;
    }

    private static int UpperBits
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFormat.Format == BlockFormat.Q6_K ? 2 : 1;
    }

    /// <summary>Whether a register of upper bits comes before the rest.</summary>
    public static bool HaveUpperBits
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFormat.Format is BlockFormat.Q5_0 or BlockFormat.Q5_1 or BlockFormat.Q5_K or BlockFormat.Q6_K;
    }

    /// <summary>From the codes of one pass to those of the next, in bytes.</summary>
    public static int PassBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFormat.Format == BlockFormat.Q6_K ? 3 * Register : 0;
    }

    /// <summary>From the code book of one pass to that of the next, in bytes.</summary>
    public static int PassTableBytes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFormat.Format is BlockFormat.NF4 or BlockFormat.NF4Double ? Register : 0;
    }

    /// <summary>From the first column of one pass to that of the next.</summary>
    public static int PassColumns
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFormat.Format == BlockFormat.Q6_K ? PanelLayout.PartColumns / 2 : 0;
    }

    /// <summary>Reads the weights of four columns.</summary>
    /// <param name="at">The bytes of the first lane in the register that they begin in.</param>
    /// <param name="upper">Upper bits, if there are any: the lowest are the first four columns'.</param>
    /// <param name="table">The code book, if there is one.</param>
    /// <param name="last">The last four of an eight, not the first.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Read(byte* at, T upper, byte* table, bool last)
    {
        if (TFormat.Format == BlockFormat.Q8_0)
            return T.Load((float*)(last ? at + Register : at));
        T codes = (last ? T.ShiftRight(T.Load((float*)at), 4) : T.Load((float*)at)) & T.BroadcastBits(0x0F0F0F0F);
        if (TFormat.Format is BlockFormat.IQ4_NL or BlockFormat.NF4 or BlockFormat.NF4Double)
            return TColumns.Lookup(table, codes);
        return HaveUpperBits
            ? codes | T.ShiftLeft(upper, last ? 4 - UpperBits : 4) & T.BroadcastBits(TFormat.Format == BlockFormat.Q6_K ? 0x30303030 : 0x10101010)
            : codes;
    }

    /// <summary>The upper bits with those of the next eight lowest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Next(T upper) => HaveUpperBits ? T.ShiftRight(upper, 2 * UpperBits) : upper;
}

/// <summary>The formats with panels.</summary>
internal static class PanelFormats
{
    internal readonly struct Q8_0 : IPanelFormat
    {
        public static BlockFormat Format => BlockFormat.Q8_0;
    }

    internal readonly struct Q4_0 : IPanelFormat
    {
        public static BlockFormat Format => BlockFormat.Q4_0;
    }

    internal readonly struct Q4_1 : IPanelFormat
    {
        public static BlockFormat Format => BlockFormat.Q4_1;
    }

    internal readonly struct Q5_0 : IPanelFormat
    {
        public static BlockFormat Format => BlockFormat.Q5_0;
    }

    internal readonly struct Q5_1 : IPanelFormat
    {
        public static BlockFormat Format => BlockFormat.Q5_1;
    }

    internal readonly struct Q4_K : IPanelFormat
    {
        public static BlockFormat Format => BlockFormat.Q4_K;
    }

    internal readonly struct Q5_K : IPanelFormat
    {
        public static BlockFormat Format => BlockFormat.Q5_K;
    }

    internal readonly struct Q6_K : IPanelFormat
    {
        public static BlockFormat Format => BlockFormat.Q6_K;
    }

    internal readonly struct IQ4_NL : IPanelFormat
    {
        public static BlockFormat Format => BlockFormat.IQ4_NL;
    }

    internal readonly struct NF4 : IPanelFormat
    {
        public static BlockFormat Format => BlockFormat.NF4;
    }

    internal readonly struct NF4Double : IPanelFormat
    {
        public static BlockFormat Format => BlockFormat.NF4Double;
    }
}
