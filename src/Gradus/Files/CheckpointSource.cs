using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>Parameters read from a checkpoint's tensors by their names.</summary>
/// <param name="file">The checkpoint.</param>
/// <param name="keepStoredType">Keep BF16 and F16 weights as they are.</param>
/// <param name="readValues">Read the values; without them names and shapes are checked, and no memory is touched.</param>
internal sealed class CheckpointSource(TensorFile file, bool keepStoredType, bool readValues = true) : ParameterSource
{
    // Base models are stored without the name of the body that a model with a head puts first.
    private static readonly string[] BodyPrefixes = ["model.", "transformer."];
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    // Buffers that older versions of transformers stored beside the parameters: masks and rotary tables.
    private static readonly string[] Buffers = [".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq", ".attention.bias", ".attention.masked_bias"];

    /// <summary>Tensors of the file that the model has not asked for, known buffers and a tied head left out.</summary>
    public IEnumerable<string> Unused => file.Entries
        .Select(e => e.Name)
        .Where(n => !_used.Contains(n) && n != "lm_head.weight" && !IsBuffer(n));

    /// <summary>Whether a tensor is a known buffer rather than a parameter.</summary>
    public static bool IsBuffer(string name) => Buffers.Any(b => name.EndsWith(b, StringComparison.Ordinal));

    public override Tensor Get(string name, Shape shape, Init init, Workspace store)
    {
        TensorEntry entry = Find(name);
        if (entry.Shape != shape)
            throw new InvalidDataException($"{file.Path}: tensor \"{entry.Name}\" has the shape {entry.Shape}, but config.json makes it {shape}; do the files belong together?");
        _used.Add(entry.Name);
        // Only matrix products and lookups read narrow types; norms and biases are small anyway.
        bool keep = keepStoredType && shape.Rank >= 2 && entry.Packed is null && entry.DType is DType.BF16 or DType.F16;
        Tensor value = store.Empty(shape, keep ? entry.DType : DType.F32);
        if (!readValues)
            return value;
        if (keep)
            Copy(entry, value);
        else
            Widen(entry, value);
        return value;
    }

    /// <summary>The tensor of a parameter, under the model's name or without the name of the body.</summary>
    public TensorEntry Find(string name)
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
