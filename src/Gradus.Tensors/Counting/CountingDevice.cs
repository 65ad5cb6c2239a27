using System.Globalization;
using System.Runtime.InteropServices;
using Gradus.Tensors.Cpu;
using Gradus.Tensors.Packed;

namespace Gradus.Tensors.Counting;

/// <summary>
/// A device that computes nothing and counts everything: the same code then runs through the same operations and takes the same memory as it
/// would on the device that this one stands for, in no time and hardly any memory. What it was asked for can be measured there afterwards,
/// an operation at a time.
/// </summary>
/// <remarks>
/// Values are whatever the memory holds; tensors of more than four mebibytes all lie in one place. A computation that depends on values (which
/// experts read a token, when to stop) takes another course than with real ones.
/// </remarks>
public sealed unsafe partial class CountingDevice : Device
{
    private const long OwnMemory = 4 << 20;
    private const int MostExperts = 256;
    private const int Alignment = 64;
    private readonly Device _like;
    private readonly Dictionary<string, CountedOperation> _operations = new(StringComparer.Ordinal);
    private readonly HashSet<(Parameter Weight, bool Transposed)> _panels = [];
    private readonly List<nint> _shared = [];
    private readonly Dictionary<nint, nint> _own = [];
    private nint _latest;
    private long _latestBytes;
    private long _scattered;

    /// <summary>Makes a device that counts for another.</summary>
    /// <param name="like">The device it stands for: it decides in which order packed weights lie, and how products are rounded fastest.</param>
    public CountingDevice(Device like)
    {
        ArgumentNullException.ThrowIfNull(like);
        _like = like;
    }

    /// <summary>Frees the memory.</summary>
    ~CountingDevice()
    {
        foreach (nint block in _shared.Concat(_own.Values))
            NativeMemory.Free((void*)block);
    }

    /// <inheritdoc/>
    public override string Name => $"counting for {_like.Name}";

    /// <inheritdoc/>
    public override bool IsHost => true;

    /// <inheritdoc/>
    public override Precision FastPrecision => _like.FastPrecision;

    /// <summary>Bytes that are taken at present, those that workspaces keep for reuse included.</summary>
    public long Bytes { get; private set; }

    /// <summary>The most bytes ever taken at once.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Bytes of the copies of weights that kernels keep in their own order, beside <see cref="Bytes"/>.</summary>
    public long PanelBytes { get; private set; }

    /// <summary>What was computed since <see cref="ForgetOperations"/>: operations of equal shapes are one.</summary>
    public IReadOnlyCollection<CountedOperation> Operations => _operations.Values;

    /// <summary>Multiplications and additions of matrix products and attention, each counted as one.</summary>
    public double Flops => _operations.Values.Sum(o => o.Flops * o.Count);

    /// <summary>Begins to count operations anew. Memory is not forgotten.</summary>
    public void ForgetOperations() => _operations.Clear();

    /// <inheritdoc/>
    protected internal override nint Allocate(long bytes)
    {
        Bytes += bytes;
        PeakBytes = Math.Max(PeakBytes, Bytes);
        if (bytes <= OwnMemory)
        {
            nint own = Aligned(bytes, out nint block);
            _own.Add(own, block);
            return own;
        }
        if (bytes > _latestBytes)
        {
            (_latest, _latestBytes) = (Aligned(bytes, out nint block), bytes);
            _shared.Add(block);
        }
        return _latest;
    }

    /// <inheritdoc/>
    protected internal override void Free(nint address, long bytes)
    {
        Bytes -= bytes;
        if (_own.Remove(address, out nint block))
            NativeMemory.Free((void*)block);
    }

    // Fresh memory from the system costs nothing until it is touched.
    private static nint Aligned(long bytes, out nint block)
    {
        block = (nint)NativeMemory.AllocZeroed((nuint)(bytes + Alignment));
        return (block + Alignment - 1) / Alignment * Alignment;
    }

    // What the host may read: scores of experts differ from token to token, so that about as many tokens choose each.
    private void Scatter(Tensor scores)
    {
        if (scores.Shape.Columns is < 2 or > MostExperts || scores.DType != DType.F32 || !_own.ContainsKey(scores.Storage.Address))
            return;
        Span<float> values = scores.Span();
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)CounterRandom.Uniform(1, _scattered + i);
        _scattered += values.Length;
    }

    /// <inheritdoc/>
    protected internal override void Poison(nint address, long bytes)
    {
    }

    /// <inheritdoc/>
    public override Shape PackedShape(PackedMatrix matrix) => _like.PackedShape(matrix);

    /// <inheritdoc/>
    public override bool KeepsPackedRows(PackedFormat format) => _like.KeepsPackedRows(format);

    /// <inheritdoc/>
    public override void PutPackedRows(ReadOnlySpan<byte> blocks, PackedMatrix matrix, int row)
    {
    }

    /// <inheritdoc/>
    public override void GetPackedRows(PackedMatrix matrix, int row, Span<byte> blocks) => blocks.Clear();

    private void Count(string name, double flops, string settings, Tensor?[] tensors, Action<Device, Tensor?[]> replay, Action<Tensor?[]>? prepare = null)
    {
        string key = string.Create(CultureInfo.InvariantCulture, $"{name}({string.Join(", ", tensors.Select(t => t?.ToString() ?? "-"))}) {settings}");
        if (!_operations.TryGetValue(key, out CountedOperation? operation))
        {
            operation = new CountedOperation(name, flops, [.. tensors.Select(t => t is null ? default((Shape, DType)?) : (t.Shape, t.DType))], replay, prepare);
            _operations.Add(key, operation);
        }
        operation.Count++;
    }

    private void CountPanels(in MatMulTask task)
    {
        if (task.Precision != Precision.BF16 || _like is not CpuDevice cpu || !Bf16Gemm.KeepsPanels(cpu.Isa, task) || !_panels.Add((task.B.Owner!, task.TransposeB)))
            return;
        PanelBytes += Bf16BlockGemm.PanelElements(task.N, task.K) * (long)sizeof(ushort);
    }
}
