using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf;

/// <summary>
/// One line of a family's table of tensors: names without <c>.weight</c> and <c>.bias</c>. <c>{n}</c> is the block, <c>{e}</c> the expert.
/// </summary>
/// <param name="HuggingFace">The name in a checkpoint of transformers.</param>
/// <param name="Gguf">The name in GGUF; names of several experts have one, in which they are stacked.</param>
/// <param name="ToGguf">How the tensor of GGUF follows from that of the checkpoint.</param>
/// <param name="FromGguf">The way back.</param>
internal sealed record TensorRule(string HuggingFace, string Gguf, TensorLayout? ToGguf = null, TensorLayout? FromGguf = null)
{
    /// <summary>A tensor whose rows have another order in GGUF.</summary>
    /// <param name="huggingFace">The name in a checkpoint.</param>
    /// <param name="gguf">The name in GGUF.</param>
    /// <param name="origin">For each row in GGUF the row of the checkpoint.</param>
    public static TensorRule Reordered(string huggingFace, string gguf, int[] origin)
    {
        int[] inverse = new int[origin.Length];
        for (int row = 0; row < origin.Length; row++)
            inverse[origin[row]] = row;
        return new TensorRule(huggingFace, gguf, TensorLayout.Rows(origin), TensorLayout.Rows(inverse));
    }

    /// <summary>A tensor stored (in, out) in a checkpoint and (out, in) in GGUF.</summary>
    public static TensorRule Transposed(string huggingFace, string gguf) => new(huggingFace, gguf, TensorLayout.Transposed, TensorLayout.Transposed);

    /// <summary>A norm's weight w that is applied as 1 + w and stored so in GGUF.</summary>
    public static TensorRule PlusOne(string huggingFace, string gguf) => new(huggingFace, gguf, TensorLayout.Plus(1), TensorLayout.Plus(-1));
}

/// <summary>
/// How a family of models is written in GGUF: names and layout of the tensors, and the metadata that stands for config.json. Source:
/// llama.cpp (convert_hf_to_gguf.py, gguf-py, llama-model.cpp). A new family is a file in <c>Families</c> and a line in
/// <see cref="GgufFamilies"/>.
/// </summary>
/// <param name="modelType">The <c>model_type</c> of config.json.</param>
/// <param name="architecture">The <c>general.architecture</c> of GGUF.</param>
/// <param name="modelClass">The class of transformers that reads such a checkpoint.</param>
internal abstract class GgufFamily(string modelType, string architecture, string modelClass)
{
    /// <summary>The <c>model_type</c> of config.json.</summary>
    public string ModelType => modelType;

    /// <summary>The <c>general.architecture</c> of GGUF.</summary>
    public string Architecture => architecture;

    /// <summary>The class of transformers that reads such a checkpoint.</summary>
    public string ModelClass => modelClass;

    /// <summary>The tensors of tied heads and embeddings, as stems of the checkpoint.</summary>
    public virtual string HeadName => "lm_head";

    /// <summary>Whether checkpoints tie the head to the embedding where config.json says nothing.</summary>
    public virtual bool TiesByDefault => false;

    /// <summary>Beginnings of the names of tensors that llama.cpp has no place for, such as heads that it does not run.</summary>
    public virtual IReadOnlyList<string> LeftOut => [];

    /// <summary>What models with a head put before the names of the table, with its point; empty where the table has it.</summary>
    public virtual string BodyPrefix => "";

    /// <summary>The config.json that a file of this program notes: that of what the file holds.</summary>
    public virtual JsonObject Note(HyperParameters config) => config.Json;

    /// <summary>Keys with the same meaning in both formats.</summary>
    protected abstract IReadOnlyList<ConfigKey> Keys { get; }

    /// <summary>What config.json says and GGUF does not, since every model of the family has it.</summary>
    protected virtual JsonObject Fixed => [];

    /// <summary>The keys of GGUF that the family reads, without the architecture before them.</summary>
    public virtual IEnumerable<string> KnownKeys => Keys.Select(k => k.Gguf);

    /// <summary>Whether a token sees only those before it.</summary>
    public virtual bool IsCausal => true;

    /// <summary>The values of a head that rotary positions turn, or null where the family has none or reads their number itself.</summary>
    public virtual int? RotatedWidth(HyperParameters config) => null;

    /// <summary>Whether a file of this architecture is of this family: some architectures serve several.</summary>
    public virtual bool Reads(GgufMetadata metadata) => true;

    /// <summary>The number of blocks.</summary>
    public abstract int Blocks(HyperParameters config);

    /// <summary>The number of experts in a block, or 0.</summary>
    public virtual int Experts(HyperParameters config) => 0;

    /// <summary>The table of tensors.</summary>
    public abstract IEnumerable<TensorRule> Rules(HyperParameters config);

    /// <summary>Tensors of GGUF that follow from config.json.</summary>
    public virtual IEnumerable<MappedTensor> Derived(HyperParameters config) => [];

    /// <summary>What llama.cpp computes otherwise than this configuration asks for, each in a few words.</summary>
    public virtual IEnumerable<string> Deviations(HyperParameters config)
    {
        foreach ((string key, JsonNode? value) in Fixed)
        {
            if (config.Has(key) && !JsonNode.DeepEquals(config.Json[key], value))
                yield return $"{key} is {config.Json[key]!.ToJsonString()}, {architecture} always takes {value!.ToJsonString()}";
        }
    }

    /// <summary>Writes the hyperparameters.</summary>
    public virtual void Write(HyperParameters config, GgufMetadata metadata)
    {
        foreach (ConfigKey key in Keys)
            key.Write(config, architecture, metadata);
    }

    /// <summary>Reads the hyperparameters into an object that has the keys that all families share.</summary>
    public virtual void Read(GgufFile file, JsonObject config)
    {
        foreach ((string key, JsonNode? value) in Fixed)
            config[key] = value?.DeepClone();
        foreach (ConfigKey key in Keys)
            key.Read(file.Values, architecture, config);
        // llama.cpp's base, whatever transformers takes for the family where its file says nothing.
        if (Keys.FirstOrDefault(k => k.Gguf == "rope.freq_base") is { } theta && !config.ContainsKey(theta.Name))
            config[theta.Name] = 10000.0;
    }

    /// <summary>A key of this architecture.</summary>
    protected string Key(string name) => $"{architecture}.{name}";
}
