using System.Numerics;
using System.Runtime.InteropServices;

namespace Gradus.Tensors;

/// <summary>
/// The lifetime of tensors. Everything an operation makes belongs to a workspace and is freed together by <see cref="Reset"/>
/// or <see cref="Dispose"/>, so nobody disposes single tensors. An operation's result goes to the innermost workspace among its
/// inputs: parameters live in an outer one, the activations of a step in the step's own.
/// </summary>
/// <remarks>
/// Memory and tensor objects are reused from one step to the next: a loop of equal steps settles at no allocation at all.
/// After <see cref="Reset"/> the tensors of the step before are handed out again, so hold on to none of them.
/// A workspace belongs to one thread at a time.
/// </remarks>
public sealed class Workspace : IDisposable
{
    private readonly MemoryPool _pool;
    private readonly bool _ownsPool;
    private readonly List<Tensor> _tensors = [];
    private Workspace? _spareChild;
    private int _issued;
    private bool _disposed;

    /// <summary>Makes an outermost workspace.</summary>
    /// <param name="device">Where its tensors live and are computed.</param>
    /// <param name="precision">How matrix products round their operands.</param>
    public Workspace(Device device, Precision precision = Precision.F32)
    {
        ArgumentNullException.ThrowIfNull(device);
        Device = device;
        Precision = precision;
        _pool = new MemoryPool(device);
        _ownsPool = true;
    }

    private Workspace(Workspace parent)
    {
        Device = parent.Device;
        _pool = parent._pool;
    }

    /// <summary>Where this workspace's tensors live.</summary>
    public Device Device { get; }

    /// <summary>How matrix products of this workspace round their operands.</summary>
    /// <remarks>Never <see cref="Precision.Auto"/>: the device decides when that is set.</remarks>
    public Precision Precision
    {
        get;
        set => field = value == Precision.Auto ? Device.FastPrecision : value;
    }

    /// <summary>The tape that records this workspace's operations, or null: nothing is recorded unless asked for.</summary>
    public Tape? Tape { get; private set; }

    /// <summary>How deep this workspace lies; parameters lie at 0.</summary>
    public int Depth { get; private set; }

    /// <summary>Bytes handed out at present, over this workspace and all that share its memory.</summary>
    public long LiveBytes => _pool.LiveBytes;

    /// <summary>The most bytes ever handed out at once.</summary>
    public long PeakBytes => _pool.PeakBytes;

    /// <summary>Bytes taken from the device and kept for reuse.</summary>
    public long ReservedBytes => _pool.ReservedBytes;

    /// <summary>Fills every new tensor with NaN bits, so that tests notice a read before the first write.</summary>
    internal bool PoisonNewTensors
    {
        get => _pool.Poison;
        set => _pool.Poison = value;
    }

    /// <summary>Makes a workspace for the steps of a computation, one level further in than this one and with memory of its own.</summary>
    public Workspace NewScratch(Precision? precision = null) => new(Device, precision ?? Precision) { Depth = Depth + 1 };

    /// <summary>Starts recording operations on tensors that need a gradient; any earlier recording of this workspace is dropped.</summary>
    public Tape StartTape()
    {
        Tape = new Tape(this);
        return Tape;
    }

    /// <summary>Stops recording.</summary>
    public void StopTape() => Tape = null;

    /// <summary>
    /// Opens a workspace inside this one which shares its memory: for values that die before the step does. Dispose it when done;
    /// results that live on are moved out with <see cref="Adopt"/>. It records nothing unless told to.
    /// </summary>
    public Workspace OpenChild()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Workspace child = _spareChild ?? new Workspace(this);
        _spareChild = null;
        child.Depth = Depth + 1;
        child.Precision = Precision;
        child._parent = this;
        return child;
    }

    private Workspace? _parent;

    /// <summary>A tensor of unspecified contents.</summary>
    public Tensor Empty(Shape shape, DType type = DType.F32)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Tensor tensor = NextTensor();
        tensor.Attach(_pool.Rent(shape.Count * type.Size()), 0, shape, type);
        return tensor;
    }

    /// <summary>A tensor of zeros.</summary>
    public Tensor Zeros(Shape shape, DType type = DType.F32)
    {
        Tensor tensor = Empty(shape, type);
        tensor.Clear();
        return tensor;
    }

    /// <summary>A copy of host values.</summary>
    /// <exception cref="ArgumentException">The number of values is not the shape's.</exception>
    public Tensor From(ReadOnlySpan<float> values, Shape shape) => FromValues(values, shape, DType.F32);

    /// <summary>A copy of host values.</summary>
    /// <exception cref="ArgumentException">The number of values is not the shape's.</exception>
    public Tensor From(ReadOnlySpan<int> values, Shape shape) => FromValues(values, shape, DType.I32);

    /// <summary>A one-axis copy of host values.</summary>
    public Tensor From(ReadOnlySpan<int> values) => From(values, new Shape(values.Length));

    private Tensor FromValues<T>(ReadOnlySpan<T> values, Shape shape, DType type)
        where T : unmanaged
    {
        if (values.Length != shape.Count)
            throw new ArgumentException($"{values.Length} values do not fill the shape {shape}.", nameof(values));
        Tensor tensor = Empty(shape, type);
        values.CopyTo(tensor.Span<T>());
        return tensor;
    }

    /// <summary>A second handle on a tensor's memory, with another shape of as many elements, owned by this workspace.</summary>
    internal Tensor Alias(Tensor source, Shape shape, long byteOffset = 0)
    {
        Tensor tensor = NextTensor();
        tensor.Attach(source.Storage.AddReference(), source.ByteOffset + byteOffset, shape, source.DType);
        return tensor;
    }

    /// <summary>A handle of this workspace on a part of a tensor's memory; no copy.</summary>
    /// <param name="source">The tensor; its memory must outlive the handle.</param>
    /// <param name="shape">The axes of the part.</param>
    /// <param name="byteOffset">Where the part begins.</param>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie inside the tensor.</exception>
    public Tensor View(Tensor source, Shape shape, long byteOffset)
    {
        ArgumentNullException.ThrowIfNull(source);
        long size = source.DType.Size();
        return byteOffset >= 0 && byteOffset % size == 0 && shape.Count <= source.Count - (byteOffset / size)
            ? Alias(source, shape, byteOffset)
            : throw new ArgumentOutOfRangeException(nameof(byteOffset), byteOffset, $"View: {shape} from byte {byteOffset} on does not lie inside {source}.");
    }

    /// <summary>
    /// A read-only tensor of values that lie in somebody else's memory, such as a mapped file: no copy is made. The owner stays alive until the
    /// last handle on the tensor is freed; see <see cref="Tensor.MakeWritable"/>.
    /// </summary>
    /// <param name="address">The first element, in host memory, at a multiple of the element's size.</param>
    /// <param name="shape">The axes.</param>
    /// <param name="type">The type of the elements.</param>
    /// <param name="owner">What holds the memory; it is referenced until the tensor is freed.</param>
    /// <exception cref="InvalidOperationException">The device does not read host memory.</exception>
    /// <exception cref="ArgumentException">The address is not a multiple of the element's size.</exception>
    public Tensor Borrow(nint address, Shape shape, DType type, SafeHandle owner)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(owner);
        if (!Device.IsHost)
            throw new InvalidOperationException($"{Device.Name} cannot read host memory; copy the values into a tensor of its own.");
        if (address % type.Size() != 0)
            throw new ArgumentException($"A {type} tensor begins at a multiple of {type.Size()} bytes.", nameof(address));
        bool held = false;
        owner.DangerousAddRef(ref held);
        Tensor tensor = NextTensor();
        tensor.Attach(new MemoryBlock(owner, shape.Count * type.Size(), address), 0, shape, type);
        return tensor;
    }

    /// <summary>Memory of this workspace for as many bytes as a tensor has.</summary>
    internal MemoryBlock Rent(Tensor like) => _pool.Rent(like.Count * like.DType.Size());

    /// <summary>
    /// A handle of this workspace on another's tensor: a result of an inner workspace then outlives it, and a value of an outer one
    /// can be computed with in here. Where this workspace records, the tensor's gradient passes through.
    /// </summary>
    public Tensor Adopt(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Workspace == this)
            return tensor;
        Tensor handle = Alias(tensor, tensor.Shape);
        if (Records(tensor))
            Tape!.Record(handle, new AdoptNode(tensor));
        return handle;
    }

    private sealed class AdoptNode(Tensor tensor) : Node
    {
        public override void Backward(Tensor dy) => tensor.AddGradient(dy.Share());
    }

    /// <summary>Frees everything; the memory is kept for the next step. Any tape is dropped.</summary>
    public void Reset()
    {
        for (int i = 0; i < _issued; i++)
            _tensors[i].Detach();
        _issued = 0;
        Tape = null;
    }

    /// <summary>Frees everything. A child's memory goes back to its parent, an outermost one's to the device.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        Reset();
        if (_ownsPool)
        {
            _disposed = true;
            _pool.Dispose();
        }
        else if (_parent is { } parent)
        {
            _parent = null;
            parent._spareChild = this;
        }
    }

    /// <summary>The innermost of the workspaces of an operation's inputs.</summary>
    internal static Workspace Innermost(Tensor a, Tensor? b = null, Tensor? c = null, Tensor? d = null)
    {
        Workspace w = a.Workspace;
        w = b is null || w.Depth >= b.Workspace.Depth ? w : b.Workspace;
        w = c is null || w.Depth >= c.Workspace.Depth ? w : c.Workspace;
        return d is null || w.Depth >= d.Workspace.Depth ? w : d.Workspace;
    }

    /// <summary>Whether an operation on these inputs must be recorded.</summary>
    internal bool Records(Tensor a, Tensor? b = null, Tensor? c = null, Tensor? d = null) =>
        Tape is not null && (a.NeedsGradient || b is { NeedsGradient: true } || c is { NeedsGradient: true } || d is { NeedsGradient: true });

    private Tensor NextTensor()
    {
        if (_issued == _tensors.Count)
            _tensors.Add(new Tensor(this));
        return _tensors[_issued++];
    }

    /// <summary>Memory of one device, reused by size class: eight classes to each doubling.</summary>
    private sealed class MemoryPool(Device device) : IDisposable
    {
        private const int Classes = 8 * 48;
        private readonly Stack<MemoryBlock>?[] _free = new Stack<MemoryBlock>?[Classes];
        private readonly List<MemoryBlock> _all = [];
        private bool _disposed;

        public bool Poison { get; set; }

        public long LiveBytes { get; private set; }

        public long PeakBytes { get; private set; }

        public long ReservedBytes { get; private set; }

        public MemoryBlock Rent(long bytes)
        {
            int index = SizeClass(bytes, out long size);
            MemoryBlock block = TakeFree(index) ?? Allocate(index, size);
            LiveBytes += block.Bytes;
            PeakBytes = Math.Max(PeakBytes, LiveBytes);
            block.Revive();
            if (Poison)
                device.Poison(block.Address, block.Bytes);
            return block;
        }

        public void Return(MemoryBlock block)
        {
            LiveBytes -= block.Bytes;
            if (_disposed)
                Free(block);
            else
                (_free[block.SizeClass] ??= new Stack<MemoryBlock>()).Push(block);
        }

        // A block of up to twice the size serves too: batches of varying lengths would otherwise fill every class in turn.
        private MemoryBlock? TakeFree(int index)
        {
            for (int i = index; i < Math.Min(index + 8, Classes); i++)
            {
                if (_free[i] is { } free && free.TryPop(out MemoryBlock? block))
                    return block;
            }
            return null;
        }

        private MemoryBlock Allocate(int index, long size)
        {
            MemoryBlock block = new(this, index, size, device.Allocate(size));
            if (!_disposed)
                _all.Add(block);
            ReservedBytes += size;
            return block;
        }

        // What another workspace has adopted or looks at goes when that lets go of it.
        public void Dispose()
        {
            _disposed = true;
            foreach (MemoryBlock block in _all)
            {
                if (block.References == 0)
                    Free(block);
            }
            _all.Clear();
            Array.Clear(_free);
        }

        private void Free(MemoryBlock block)
        {
            device.Free(block.Address, block.Bytes);
            ReservedBytes -= block.Bytes;
        }

        private static int SizeClass(long bytes, out long size)
        {
            long units = Math.Max(8, (bytes + 63) / 64);
            int shift = BitOperations.Log2((ulong)units) - 3;
            long mantissa = (units + (1L << shift) - 1) >> shift;
            if (mantissa == 16)
            {
                mantissa = 8;
                shift++;
            }
            size = (mantissa << shift) * 64;
            return (shift * 8) + (int)(mantissa - 8);
        }
    }

    /// <summary>A piece of device memory, or of somebody else's, with the number of tensors that look at it.</summary>
    internal sealed class MemoryBlock
    {
        private readonly object _pool;

        // The owner is referenced already.
        internal MemoryBlock(SafeHandle owner, long bytes, nint address)
            : this(owner, -1, bytes, address) => References = 1;

        internal MemoryBlock(object pool, int sizeClass, long bytes, nint address)
        {
            _pool = pool;
            SizeClass = sizeClass;
            Bytes = bytes;
            Address = address;
        }

        internal int SizeClass { get; }

        internal bool IsBorrowed => _pool is SafeHandle;

        internal long Bytes { get; }

        internal nint Address { get; }

        internal int References { get; private set; }

        internal void Revive() => References = 1;

        internal MemoryBlock AddReference()
        {
            References++;
            return this;
        }

        internal void Release()
        {
            if (--References > 0)
                return;
            if (_pool is SafeHandle owner)
                owner.DangerousRelease();
            else
                ((MemoryPool)_pool).Return(this);
        }
    }
}
