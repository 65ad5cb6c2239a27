using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Files;

/// <summary>One tensor of a <see cref="MappedTensorFile"/>.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Layout">How its values are found in those of the sources.</param>
/// <param name="Sources">Tensors of the other file.</param>
internal sealed record MappedTensor(string Name, TensorLayout Layout, params IReadOnlyList<TensorEntry> Sources)
{
    /// <summary>The tensor's description: it keeps the type of its sources where its layout allows that, and is F32 elsewhere.</summary>
    public TensorEntry Describe()
    {
        Shape shape = Layout.ShapeOf(Sources);
        TensorEntry? first = Sources.Count > 0 ? Sources[0] : null;
        if (first is null || !Layout.KeepsValues || Sources.Any(s => s.TypeName != first.TypeName))
            return new TensorEntry(Name, Layout.ComputedType, shape);
        if (first.Packed is null)
            return new TensorEntry(Name, first.DType, shape);
        return Layout.KeepsRows && shape.Columns == first.Shape.Columns ? new TensorEntry(Name, first.Packed, shape) : new TensorEntry(Name, DType.F32, shape);
    }
}

/// <summary>
/// The tensors of a file under the names and in the layout of another format. Values are converted when they are read; stored bytes are
/// rearranged when they are first asked for.
/// </summary>
internal sealed unsafe class MappedTensorFile : TensorFile
{
    private readonly TensorFile _file;
    private readonly RearrangedTensors _rearranged = new();
    private readonly Dictionary<TensorEntry, MappedTensor> _tensors;

    private MappedTensorFile(TensorFile file, Dictionary<TensorEntry, MappedTensor> tensors)
        : base(file.Path, [.. tensors.Keys], file.Metadata)
    {
        _file = file;
        _tensors = tensors;
    }

    /// <summary>Shows the tensors of a file in another way; the file is closed with the view.</summary>
    public static MappedTensorFile Create(TensorFile file, IEnumerable<MappedTensor> tensors) =>
        new(file, tensors.ToDictionary(t => t.Describe()));

    /// <summary>How a tensor follows from those of the file.</summary>
    public MappedTensor Origin(TensorEntry entry) => _tensors[entry];

    /// <inheritdoc/>
    public override void Read(TensorEntry entry, long start, Span<float> destination)
    {
        MappedTensor tensor = _tensors[Checked(entry, start, destination.Length)];
        tensor.Layout.Read(_file, tensor.Sources, start, destination);
    }

    /// <inheritdoc/>
    internal override PackedMatrix? ReadPacked(TensorEntry entry, Workspace store)
    {
        MappedTensor tensor = _tensors[Checked(entry, 0, 0)];
        return tensor.Layout == TensorLayout.Same ? _file.ReadPacked(tensor.Sources[0], store) : tensor.Layout.ReadPacked(_file, tensor.Sources, store);
    }

    /// <inheritdoc/>
    private protected override TensorBytes Locate(TensorEntry entry)
    {
        MappedTensor tensor = _tensors[entry];
        return tensor.Layout == TensorLayout.Same
            ? _file.Bytes(tensor.Sources[0])
            : _rearranged.Get(entry, destination => Fill(entry, tensor, destination));
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _rearranged.Dispose();
        _file.Dispose();
    }

    private void Fill(TensorEntry entry, MappedTensor tensor, byte* destination)
    {
        if (entry.Packed is not null)
        {
            FillRows(entry, tensor, destination);
            return;
        }
        const int Piece = 1 << 22;
        int size = entry.DType.Size();
        float[] values = new float[(int)Math.Min(Piece, entry.Shape.Count)];
        for (long start = 0; start < entry.Shape.Count; start += Piece)
        {
            Span<float> part = values.AsSpan(0, (int)Math.Min(Piece, entry.Shape.Count - start));
            tensor.Layout.Read(_file, tensor.Sources, start, part);
            ElementConversion.FromSingle(entry.DType, part, new Span<byte>(destination + (start * size), part.Length * size));
        }
    }

    private void FillRows(TensorEntry entry, MappedTensor tensor, byte* destination)
    {
        long rowBytes = entry.ByteLength / entry.Shape.Rows;
        for (long row = 0; row < entry.Shape.Rows; row++)
        {
            (int source, long from) = tensor.Layout.Origin(row, tensor.Sources);
            byte* origin = _file.Bytes(tensor.Sources[source]).Pointer + (from * rowBytes);
            Buffer.MemoryCopy(origin, destination + (row * rowBytes), rowBytes, rowBytes);
        }
    }
}
