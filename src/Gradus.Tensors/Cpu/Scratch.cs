namespace Gradus.Tensors.Cpu;

/// <summary>
/// Working memory of kernels: one set of buffers per thread, grown when needed, kept until the thread ends. A buffer belongs to the
/// code that asked for it until that code returns; code that may run inside other kernels uses a slot of its own.
/// </summary>
internal sealed unsafe class Scratch
{
    private const nuint Alignment = 64;

    [ThreadStatic]
    private static Scratch? _ofThread;

    private readonly void*[] _buffers = new void*[(int)Slot.Count];
    private readonly nuint[] _sizes = new nuint[(int)Slot.Count];

    ~Scratch()
    {
        foreach (void* buffer in _buffers)
            AlignedMemory.Free(buffer);
    }

    /// <summary>Who uses a buffer.</summary>
    internal enum Slot
    {
        /// <summary>The packed left operand of a matrix product.</summary>
        ProductA,

        /// <summary>The packed right operand of a matrix product.</summary>
        ProductB,

        /// <summary>Unpacked weights on their way into a matrix product.</summary>
        ProductWindow,

        /// <summary>Panels of a matrix whose blocks lie in a file; runs matrix products inside.</summary>
        ProductPanels,

        /// <summary>Attention; may run matrix products inside.</summary>
        Attention,

        /// <summary>Any other kernel that runs no kernel inside.</summary>
        Kernel,

        /// <summary>The number of slots.</summary>
        Count,
    }

    /// <summary>This thread's buffer of a slot: at least <paramref name="bytes"/> long, 64-byte aligned, contents undefined.</summary>
    public static void* Get(Slot slot, nuint bytes)
    {
        Scratch scratch = _ofThread ??= new Scratch();
        return bytes <= scratch._sizes[(int)slot] ? scratch._buffers[(int)slot] : scratch.Grow(slot, bytes);
    }

    private void* Grow(Slot slot, nuint bytes)
    {
        nuint size = Math.Max((bytes + Alignment - 1) / Alignment * Alignment, 2 * _sizes[(int)slot]);
        AlignedMemory.Free(_buffers[(int)slot]);
        _buffers[(int)slot] = null;
        _sizes[(int)slot] = 0;
        _buffers[(int)slot] = AlignedMemory.Allocate(size);
        _sizes[(int)slot] = size;
        return _buffers[(int)slot];
    }
}
