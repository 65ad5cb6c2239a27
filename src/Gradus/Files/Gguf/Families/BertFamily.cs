using System.Text.Json.Nodes;

namespace Gradus.Files.Gguf.Families;

/// <summary>
/// BERT, the body of sentence encoders: attention in both directions, learned positions and sentence types. llama.cpp has no place for the
/// pooler and the heads of tasks, so what is read back is a BertModel without a pooler.
/// </summary>
/// <param name="modelType">The <c>model_type</c> of config.json.</param>
/// <param name="modelClass">The class of the bare body.</param>
internal class BertFamily(string modelType = "bert", string modelClass = "BertModel") : GgufFamily(modelType, "bert", modelClass)
{
    /// <inheritdoc/>
    public override bool TiesByDefault => true;

    /// <inheritdoc/>
    public override string BodyPrefix => $"{ModelType}.";

    /// <inheritdoc/>
    public override IReadOnlyList<string> LeftOut => ["pooler.", "cls.", "lm_head.", "classifier.", "qa_outputs.", "embeddings.position_ids"];

    /// <inheritdoc/>
    protected override IReadOnlyList<ConfigKey> Keys =>
    [
        new("vocab_size", "vocab_size"),
        new("hidden_size", "embedding_length"),
        new("intermediate_size", "feed_forward_length"),
        new("num_hidden_layers", "block_count"),
        new("num_attention_heads", "attention.head_count"),
        new("layer_norm_eps", "attention.layer_norm_epsilon", MetadataType.Number, 1e-12),
    ];

    /// <inheritdoc/>
    protected override JsonObject Fixed => new() { ["hidden_act"] = "gelu", ["position_embedding_type"] = "absolute" };

    /// <inheritdoc/>
    public override bool IsCausal => false;

    /// <summary>Rows of the position table before that of the first token, which llama.cpp does without.</summary>
    protected virtual int FirstPosition(HyperParameters config) => 0;

    /// <inheritdoc/>
    public override int Blocks(HyperParameters config) => config.Size("num_hidden_layers");

    /// <inheritdoc/>
    public override IEnumerable<TensorRule> Rules(HyperParameters config)
    {
        int unused = FirstPosition(config);
        return
        [
            new("embeddings.word_embeddings", "token_embd"),
            new("embeddings.position_embeddings", "position_embd", TensorLayout.WithoutFirst(unused), TensorLayout.AfterZeros(unused)),
            new("embeddings.token_type_embeddings", "token_types"),
            new("embeddings.LayerNorm", "token_embd_norm"),
            new("encoder.layer.{n}.attention.self.query", "blk.{n}.attn_q"),
            new("encoder.layer.{n}.attention.self.key", "blk.{n}.attn_k"),
            new("encoder.layer.{n}.attention.self.value", "blk.{n}.attn_v"),
            new("encoder.layer.{n}.attention.output.dense", "blk.{n}.attn_output"),
            new("encoder.layer.{n}.attention.output.LayerNorm", "blk.{n}.attn_output_norm"),
            new("encoder.layer.{n}.intermediate.dense", "blk.{n}.ffn_up"),
            new("encoder.layer.{n}.output.dense", "blk.{n}.ffn_down"),
            new("encoder.layer.{n}.output.LayerNorm", "blk.{n}.layer_output_norm"),
        ];
    }

    /// <inheritdoc/>
    public override JsonObject Note(HyperParameters config)
    {
        JsonObject note = (JsonObject)config.Json.DeepClone();
        note["architectures"] = new JsonArray(ModelClass);
        return note;
    }

    /// <inheritdoc/>
    public override void Write(HyperParameters config, GgufMetadata metadata)
    {
        base.Write(config, metadata);
        metadata.Set(Key("context_length"), (uint)Math.Max(1, (config.Integer("max_position_embeddings") ?? 512) - FirstPosition(config)));
        metadata.Set(Key("attention.causal"), false);
        metadata.Set("tokenizer.ggml.token_type_count", (uint)(config.Integer("type_vocab_size") ?? 2));
    }

    /// <inheritdoc/>
    public override void Read(GgufFile file, JsonObject config)
    {
        base.Read(file, config);
        HyperParameters read = new(config, file.Path);
        config["max_position_embeddings"] = FirstPosition(read)
            + (file.TryGet("position_embd.weight", out TensorEntry? positions) && positions.Shape.Rank == 2 ? positions.Shape[0] : 512);
        if (file.TryGet("token_types.weight", out TensorEntry? types) && types.Shape.Rank == 2)
            config["type_vocab_size"] = types.Shape[0];
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Deviations(HyperParameters config) =>
        ((config.Json["architectures"] as JsonArray)?.FirstOrDefault() as JsonValue)?.ToString() is { } named && named != ModelClass
            ? [.. base.Deviations(config), $"it knows the body of a {named}, but not its head, which is left out"]
            : base.Deviations(config);
}
