using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Gradus.Tensors;

namespace Gradus.Files;

/// <summary>
/// A llama2.c checkpoint in the legacy layout (seven int32 sizes, then float32 weights), shown as the tensors of a Hugging Face
/// Llama. Source: https://github.com/karpathy/llama2.c (model.py, legacy export). llama2.c rotates neighbouring values (2i, 2i+1),
/// Hugging Face the halves (i, i + D/2): the rows of q and k are permuted, so that both compute the same numbers.
/// Left out: the versioned exports (magic <c>ak42</c>), and the stored RoPE tables, which follow from the sizes.
/// </summary>
public sealed unsafe class Llama2cFile : TensorFile
{
    private const int HeaderBytes = 7 * sizeof(int);
    private readonly MappedFile _file;
    private readonly RearrangedTensors _rearranged = new();
    private readonly Sizes _sizes;

    private Llama2cFile(MappedFile file, Sizes sizes)
        : base(file.Path, Layout(sizes, file.Path), new Dictionary<string, string> { ["format"] = "llama2.c" })
    {
        _file = file;
        _sizes = sizes;
    }

    /// <summary>The content of the <c>config.json</c> that a Hugging Face folder of these weights has: the fields of LlamaConfig.</summary>
    public JsonObject Config => new()
    {
        ["architectures"] = new JsonArray("LlamaForCausalLM"),
        ["attention_bias"] = false,
        ["bos_token_id"] = 1,
        ["eos_token_id"] = 2,
        ["head_dim"] = _sizes.HeadSize,
        ["hidden_act"] = "silu",
        ["hidden_size"] = _sizes.Dim,
        ["intermediate_size"] = _sizes.HiddenDim,
        ["max_position_embeddings"] = _sizes.SeqLen,
        ["mlp_bias"] = false,
        ["model_type"] = "llama",
        ["num_attention_heads"] = _sizes.Heads,
        ["num_hidden_layers"] = _sizes.Layers,
        ["num_key_value_heads"] = _sizes.KvHeads,
        ["rms_norm_eps"] = 1e-5,
        ["rope_theta"] = 10000.0,
        ["tie_word_embeddings"] = _sizes.SharedClassifier,
        ["torch_dtype"] = "float32",
        ["vocab_size"] = _sizes.Vocab,
    };

    /// <summary>Opens and checks a file.</summary>
    /// <exception cref="InvalidDataException">The sizes are absurd or do not match the file's length.</exception>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    public static new Llama2cFile Open(string path)
    {
        MappedFile file = new(path);
        try
        {
            return new Llama2cFile(file, Sizes.Read(file, out string? fault) ?? throw Malformed.File(path, fault!));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether a file is of this format: its seven sizes make sense and give exactly its length.</summary>
    internal static bool IsRecognised(MappedFile file) => Sizes.Read(file, out _) is not null;

    /// <inheritdoc/>
    private protected override TensorBytes Locate(TensorEntry entry)
    {
        TensorBytes bytes = _file.Bytes(entry.Offset, entry.ByteLength);
        bool rotated = entry.Name.EndsWith("q_proj.weight", StringComparison.Ordinal) || entry.Name.EndsWith("k_proj.weight", StringComparison.Ordinal);
        return rotated ? _rearranged.Get(entry, destination => HalvesFromPairs(bytes.Pointer, destination, entry.Shape)) : bytes;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _rearranged.Dispose();
        _file.Dispose();
    }

    private static TensorEntry[] Layout(Sizes s, string path)
    {
        List<TensorEntry> entries = [];
        long offset = HeaderBytes;
        void Add(string name, Shape shape)
        {
            TensorEntry entry = new(name, DType.F32, shape) { Offset = offset };
            entries.Add(entry);
            offset += entry.ByteLength;
        }
        void AddLayers(string name, Shape shape)
        {
            for (int layer = 0; layer < s.Layers; layer++)
                Add($"model.layers.{layer}.{name}.weight", shape);
        }
        int kvDim = s.KvHeads * s.HeadSize;
        Add("model.embed_tokens.weight", new Shape(s.Vocab, s.Dim));
        AddLayers("input_layernorm", new Shape(s.Dim));
        AddLayers("self_attn.q_proj", new Shape(s.Dim, s.Dim));
        AddLayers("self_attn.k_proj", new Shape(kvDim, s.Dim));
        AddLayers("self_attn.v_proj", new Shape(kvDim, s.Dim));
        AddLayers("self_attn.o_proj", new Shape(s.Dim, s.Dim));
        AddLayers("post_attention_layernorm", new Shape(s.Dim));
        AddLayers("mlp.gate_proj", new Shape(s.HiddenDim, s.Dim));
        AddLayers("mlp.down_proj", new Shape(s.Dim, s.HiddenDim));
        AddLayers("mlp.up_proj", new Shape(s.HiddenDim, s.Dim));
        Add("model.norm.weight", new Shape(s.Dim));
        // Two RoPE tables of (seq_len, head_size / 2) follow; nothing reads them.
        offset += (long)s.SeqLen * s.HeadSize * sizeof(float);
        if (!s.SharedClassifier)
            Add("lm_head.weight", new Shape(s.Vocab, s.Dim));
        return offset == s.FileLength ? [.. entries] : throw Malformed.File(path, $"has {s.FileLength} bytes instead of {offset}; it is truncated, get it again.");
    }

    /// <summary>Row h·D + 2i + j of pairs becomes row h·D + j·D/2 + i of halves.</summary>
    private void HalvesFromPairs(byte* source, byte* destination, Shape shape)
    {
        long rowBytes = (long)shape.Columns * sizeof(float);
        int half = _sizes.HeadSize / 2;
        for (int row = 0; row < shape.Rows; row++)
        {
            int head = row / _sizes.HeadSize, within = row % _sizes.HeadSize;
            long from = ((long)head * _sizes.HeadSize) + (within % half * 2) + (within / half);
            Buffer.MemoryCopy(source + (from * rowBytes), destination + (row * rowBytes), rowBytes, rowBytes);
        }
    }

    /// <summary>The header, checked.</summary>
    private sealed record Sizes(int Dim, int HiddenDim, int Layers, int Heads, int KvHeads, int Vocab, int SeqLen, bool SharedClassifier, long FileLength)
    {
        // Far above every Llama, and low enough that no product below overflows 128 bits.
        private const int LargestSize = 1 << 24;

        public int HeadSize => Dim / Heads;

        public static Sizes? Read(MappedFile file, out string? fault)
        {
            fault = $"has {file.Length} bytes, too few for a llama2.c checkpoint; it is truncated, get it again.";
            if (file.Length < HeaderBytes)
                return null;
            ReadOnlySpan<int> h = MemoryMarshal.Cast<byte, int>(file.Span(0, HeaderBytes));
            fault = "does not begin with the seven sizes of a llama2.c checkpoint (legacy layout); it is of another format or version, convert it first.";
            for (int i = 0; i < h.Length; i++)
            {
                bool mayBeNegative = i == 5;
                if (h[i] == 0 || Math.Abs((long)h[i]) > LargestSize || (h[i] < 0 && !mayBeNegative))
                    return null;
            }
            if (h[0] % h[3] != 0 || h[0] / h[3] % 2 != 0 || h[4] > h[3] || h[3] % h[4] != 0)
                return null;
            Sizes sizes = new(h[0], h[1], h[2], h[3], h[4], Math.Abs(h[5]), h[6], h[5] > 0, file.Length);
            Int128 expected = sizes.Bytes();
            fault = $"has {file.Length} bytes, but its sizes ask for {expected}; it is truncated or not a llama2.c checkpoint, get it again.";
            return expected == file.Length ? sizes : null;
        }

        private Int128 Bytes()
        {
            Int128 dim = Dim, kvDim = (Int128)KvHeads * HeadSize;
            Int128 layer = (2 * dim) + (2 * dim * dim) + (2 * kvDim * dim) + (3 * dim * HiddenDim);
            Int128 values = ((SharedClassifier ? 1 : 2) * Vocab * dim) + (Layers * layer) + dim + ((Int128)SeqLen * HeadSize);
            return HeaderBytes + (values * sizeof(float));
        }
    }
}
