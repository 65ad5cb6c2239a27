using System.Runtime.CompilerServices;

namespace Gradus.Tensors;

/// <summary>
/// A contiguous, row-major value of one <see cref="Tensors.DType"/> on one <see cref="Tensors.Device"/>, in aligned unmanaged memory.
/// Its lifetime is its <see cref="Tensors.Workspace"/>. Operations are methods, one file each in <c>Ops</c>, with the
/// derivative directly below the forward computation.
/// </summary>
public sealed partial class Tensor
{
    private Workspace.MemoryBlock? _block;
    private Tensor? _gradient;

    internal Tensor(Workspace workspace)
    {
        Workspace = workspace;
    }

    /// <summary>The lifetime this tensor belongs to.</summary>
    public Workspace Workspace { get; }

    /// <summary>Where the values lie.</summary>
    public Device Device => Workspace.Device;

    /// <summary>The sizes of the axes.</summary>
    public Shape Shape { get; private set; }

    /// <summary>The type of the elements.</summary>
    public DType DType { get; private set; }

    /// <summary>The number of elements.</summary>
    public long Count => Shape.Count;

    /// <summary>Whether a gradient flows to this tensor: a trainable parameter, or computed from one while a tape records.</summary>
    public bool NeedsGradient { get; internal set; }

    /// <summary>The parameter this tensor is the value of, if it is one.</summary>
    internal Parameter? Owner { get; set; }

    /// <summary>The recorded operation that made this tensor, if one did.</summary>
    internal Node? Maker { get; set; }

    internal long ByteOffset { get; private set; }

    internal Workspace.MemoryBlock Storage => _block ?? throw Freed();

    /// <summary>The address of the first element, in the device's address space.</summary>
    public nint Address => Storage.Address + (nint)ByteOffset;

    /// <summary>
    /// Whether the values lie in memory that must not be written to (<see cref="Workspace.Borrow"/>). A write to a page of a mapped file ends the
    /// process, so whoever changes values in place calls <see cref="MakeWritable"/> first.
    /// </summary>
    public bool IsReadOnly => Storage.IsBorrowed;

    /// <summary>
    /// Moves the values into memory of this tensor's workspace if they are read-only; else does nothing. Other handles on the old memory keep it.
    /// </summary>
    public unsafe void MakeWritable()
    {
        if (!IsReadOnly)
            return;
        Workspace.MemoryBlock old = Storage, own = Workspace.Rent(this);
        long bytes = Count * DType.Size();
        Buffer.MemoryCopy((void*)Address, (void*)own.Address, bytes, bytes);
        Attach(own, 0, Shape, DType);
        old.Release();
    }

    /// <summary>The floats of this tensor, for kernels; the type has been checked.</summary>
    internal unsafe float* Floats
    {
        get
        {
            if (DType != DType.F32)
                ThrowType(DType.F32);
            return (float*)Address;
        }
    }

    /// <summary>The 32-bit integers of this tensor, for kernels; the type has been checked.</summary>
    internal unsafe int* Ints
    {
        get
        {
            if (DType != DType.I32)
                ThrowType(DType.I32);
            return (int*)Address;
        }
    }

    /// <summary>The elements as host memory. Those of a read-only tensor are copied first, since they may be written to.</summary>
    /// <typeparam name="T">A type as wide as the elements.</typeparam>
    /// <exception cref="InvalidOperationException">The tensor is not in host memory, or <typeparamref name="T"/> has another size.</exception>
    public unsafe Span<T> Span<T>()
        where T : unmanaged
    {
        if (!Device.IsHost)
            throw new InvalidOperationException($"A tensor on {Device.Name} has no host span; copy it to the host first.");
        if (sizeof(T) != DType.Size())
            throw new InvalidOperationException($"A {DType} tensor has elements of {DType.Size()} bytes, not {sizeof(T)}.");
        MakeWritable();
        return new Span<T>((void*)Address, checked((int)Count));
    }

    /// <summary>The elements of a float tensor as host memory. Those of a read-only tensor are copied first, since they may be written to.</summary>
    public Span<float> Span()
    {
        if (DType != DType.F32)
            ThrowType(DType.F32);
        return Span<float>();
    }

    /// <summary>The elements of a float tensor as host memory, to be read.</summary>
    public unsafe ReadOnlySpan<float> Values() => Device.IsHost
        ? new ReadOnlySpan<float>(Floats, checked((int)Count))
        : throw new InvalidOperationException($"A tensor on {Device.Name} has no host span; copy it to the host first.");

    /// <summary>The single element of a float tensor.</summary>
    public float Item()
    {
        if (Count != 1)
            throw new InvalidOperationException($"Item: the tensor {Shape} has {Count} elements, not one.");
        return Values()[0];
    }

    /// <summary>A copy of the elements in a managed array.</summary>
    public float[] ToArray() => Values().ToArray();

    /// <summary>Sets every element to zero.</summary>
    public void Clear()
    {
        MakeWritable();
        Device.Clear(this);
    }

    /// <summary>Frees the memory before the workspace does; for large values that are known to be dead.</summary>
    public void Free() => Detach();

    /// <summary>Type and shape, for messages: <c>F32 (8, 128)</c>.</summary>
    public override string ToString() => _block is null ? "freed tensor" : $"{DType} {Shape}";

    internal void Attach(Workspace.MemoryBlock block, long byteOffset, Shape shape, DType type)
    {
        _block = block;
        ByteOffset = byteOffset;
        Shape = shape;
        DType = type;
    }

    /// <summary>Lets go of the memory; the handle is dead until its workspace hands it out anew.</summary>
    internal void Detach()
    {
        if (_block is null)
            return;
        _gradient?.Detach();
        _gradient = null;
        NeedsGradient = false;
        Owner = null;
        Maker = null;
        _block.Release();
        _block = null;
    }

    /// <summary>Another handle on the same memory.</summary>
    internal Tensor Share() => Workspace.Alias(this, Shape);

    /// <summary>Whether no other handle sees this tensor's memory.</summary>
    internal bool IsExclusive => Storage.References == 1;

    private ObjectDisposedException Freed() => new(
        nameof(Tensor),
        "This tensor was freed: its workspace was reset, or Tape.Backward released it. Copy or adopt what must live on.");

    private void ThrowType(DType wanted, [CallerMemberName] string caller = "") =>
        throw new InvalidOperationException($"{caller}: expected a {wanted} tensor, got {this}.");
}
