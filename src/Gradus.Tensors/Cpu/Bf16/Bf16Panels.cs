namespace Gradus.Tensors.Cpu;

/// <summary>
/// The right operand of bf16 products in the order that AMX reads. Packing costs about as much as a product with a hundred rows, so a
/// weight keeps its panels until it changes.
/// </summary>
internal sealed unsafe class Bf16Panels : IDisposable
{
    private ushort* _data;
    private nuint _bytes;
    private long _version = -1;

    /// <summary>Columns of the operand.</summary>
    public int N { get; private set; }

    /// <summary>Rows of the operand.</summary>
    public int K { get; private set; }

    /// <summary>The panels, one after the other; null before the first <see cref="Update"/>.</summary>
    public ushort* Data => _data;

    /// <summary>Bytes of memory held.</summary>
    public long Bytes => (long)_bytes;

    /// <summary>Packs op(B), (K, N), unless this version of it is packed already.</summary>
    /// <param name="workers">Who packs.</param>
    /// <param name="b">The operand, one matrix.</param>
    /// <param name="k">Rows of op(B).</param>
    /// <param name="n">Columns of op(B).</param>
    /// <param name="version">A number that grows whenever the values change; not negative.</param>
    public void Update(Workers workers, in Operand b, int k, int n, long version)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(version);
        if (version == _version && n == N && k == K)
            return;
        nuint bytes = (nuint)Bf16BlockGemm.PanelElements(n, k) * sizeof(ushort);
        if (bytes != _bytes)
        {
            AlignedMemory.Free(_data);
            _data = null;
            _bytes = 0;
            _data = (ushort*)AlignedMemory.Allocate(bytes);
            _bytes = bytes;
        }
        Bf16BlockGemm.Pack(workers, b, !b.Transposed, pairsFirst: true, n, k, _data);
        (N, K, _version) = (n, k, version);
    }

    /// <summary>Frees the memory of panels that their parameter took along.</summary>
    ~Bf16Panels() => AlignedMemory.Free(_data);

    /// <inheritdoc/>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        AlignedMemory.Free(_data);
        _data = null;
        _bytes = 0;
        _version = -1;
    }
}
