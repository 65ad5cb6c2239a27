using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Files;

/// <summary>Parameters read from a checkpoint's tensors by their names.</summary>
internal sealed class CheckpointSource(TensorFile file, bool keepStoredType, bool keepPacked = false) : ParameterSource
{
    // Base models are stored without the name of the body that a model with a head puts first.
    private static readonly string[] BodyPrefixes = ["model.", "transformer."];
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    // Buffers that older versions of transformers stored beside the parameters: masks and rotary tables.
    private static readonly string[] Buffers = [".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias"];

    /// <summary>Tensors of the file that the model has not asked for, known buffers and a tied head left out.</summary>
    public IEnumerable<string> Unused => file.Entries
        .Select(e => e.Name)
        .Where(n => !_used.Contains(n) && n != "lm_head.weight" && !Buffers.Any(b => n.EndsWith(b, StringComparison.Ordinal)));

    public override Tensor Get(string name, Shape shape, Init init, Workspace store)
    {
        TensorEntry entry = Use(name, shape);
        // Only matrix products and lookups read narrow types; norms and biases are small anyway.
        bool keep = keepStoredType && shape.Rank >= 2 && entry.Packed is null && entry.DType is DType.BF16 or DType.F16;
        Tensor value = store.Empty(shape, keep ? entry.DType : DType.F32);
        if (keep)
            Copy(entry, value);
        else
            Widen(entry, value);
        return value;
    }

    public override unsafe PackedMatrix? GetPacked(string name, Shape shape, Workspace store)
    {
        if (!keepPacked || Find(name).Packed is not { } format || !PackedFormats.TryGet(format.Name, out _))
            return null;
        TensorEntry entry = Use(name, shape);
        PackedMatrix matrix = new(store, format, shape[0], shape[1]);
        TensorBytes bytes = file.Bytes(entry);
        const int RowsAtOnce = 64;
        Parallel.For(0, (matrix.Rows + RowsAtOnce - 1) / RowsAtOnce, group =>
        {
            int row = group * RowsAtOnce, rows = Math.Min(RowsAtOnce, matrix.Rows - row);
            matrix.PutRows(row, bytes.Slice((long)row * matrix.RowBytes, rows * matrix.RowBytes));
        });
        return matrix;
    }

    private TensorEntry Use(string name, Shape shape)
    {
        TensorEntry entry = Find(name);
        if (entry.Shape != shape)
            throw new InvalidDataException($"{file.Path}: tensor \"{entry.Name}\" has the shape {entry.Shape}, but config.json makes it {shape}; do the files belong together?");
        _used.Add(entry.Name);
        return entry;
    }

    private TensorEntry Find(string name)
    {
        if (file.TryGet(name, out TensorEntry? entry))
            return entry;
        foreach (string prefix in BodyPrefixes)
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal) && file.TryGet(name[prefix.Length..], out entry))
                return entry;
        }
        return file[name];
    }

    private unsafe void Copy(TensorEntry entry, Tensor value)
    {
        TensorBytes bytes = file.Bytes(entry);
        Buffer.MemoryCopy(bytes.Pointer, (void*)value.Address, bytes.Length, bytes.Length);
    }

    private unsafe void Widen(TensorEntry entry, Tensor value)
    {
        // A block format is cut only between its blocks; 2^24 is a multiple of every block size.
        const int Piece = 1 << 24;
        for (long start = 0; start < value.Count; start += Piece)
        {
            Span<float> part = new((float*)value.Address + start, (int)Math.Min(Piece, value.Count - start));
            file.Read(entry, start, part);
        }
    }
}
