using System.Runtime.CompilerServices;

namespace Gradus.Tensors.Cpu;

/// <summary>How a register's worth of a row is read and written, so that one body serves both the inside of a row and its end.</summary>
internal unsafe interface ILaneAccess<T>
    where T : unmanaged, ILanes<T>
{
    /// <summary>Reads up to <paramref name="count"/> floats; other lanes are zero.</summary>
    static abstract T Load(float* from, int count);

    /// <summary>Writes up to <paramref name="count"/> lanes.</summary>
    static abstract void Store(float* to, int count, T value);
}

/// <summary>Whole registers, whatever the count says.</summary>
internal readonly unsafe struct WholeLanes<T> : ILaneAccess<T>
    where T : unmanaged, ILanes<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load(float* from, int count) => T.Load(from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* to, int count, T value) => T.Store(to, value);
}

/// <summary>The first lanes only.</summary>
internal readonly unsafe struct FirstLanes<T> : ILaneAccess<T>
    where T : unmanaged, ILanes<T>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load(float* from, int count) => T.LoadTail(from, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* to, int count, T value) => T.StoreTail(to, count, value);
}
