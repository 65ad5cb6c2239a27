using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// Prompt tuning (Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning", 2021): vectors before the text are trained,
/// of a model with an encoder before its source.
/// </summary>
/// <param name="NumVirtualTokens">Vectors, ≥ 1.</param>
/// <param name="PromptTuningInit">How they start out.</param>
/// <param name="PromptTuningInitText">The text whose tokens they start out as (<see cref="PromptInit.Text"/>).</param>
/// <param name="TokenizerNameOrPath">The tokenizer of that text; only handed on.</param>
/// <param name="TokenDim">Width C; the model's where null.</param>
/// <param name="NumTransformerSubmodules">1 for decoders, 2 for models with an encoder.</param>
/// <param name="NumAttentionHeads">Heads of the model; only handed on.</param>
/// <param name="NumLayers">Layers of the model; only handed on.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
[UnusedKeys("tokenizer_kwargs")]
public sealed record PromptTuningConfig(
    int NumVirtualTokens = 20,
    PromptInit PromptTuningInit = PromptInit.Random,
    string? PromptTuningInitText = null,
    string? TokenizerNameOrPath = null,
    int? TokenDim = null,
    int? NumTransformerSubmodules = null,
    int? NumAttentionHeads = null,
    int? NumLayers = null,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : PromptConfig(NumVirtualTokens, TokenDim, NumTransformerSubmodules, NumAttentionHeads, NumLayers, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <summary>The tokens of the text that a new adapter starts from; it is cut or repeated to fit.</summary>
    [JsonIgnore]
    public IReadOnlyList<int>? InitTokens { get; init; }

    internal override void Build(AdapterParts parts)
    {
        Embedding table = TokenVectors.InputTable(parts.Model, "num_virtual_tokens");
        PromptTable tokens = new(this, parts, StartOf(PromptTuningInit, InitTokens, table, Rows, parts));
        parts.Add(table, new PromptLookup(tokens));
        parts.Prefix = tokens;
    }

    internal static Init StartOf(PromptInit init, IReadOnlyList<int>? tokens, Embedding table, int rows, AdapterParts parts)
    {
        if (!parts.IsNew || init == PromptInit.Random)
            return Init.Normal(1);
        if (init == PromptInit.Text && tokens is not { Count: > 0 })
            throw new InvalidDataException("prompt_tuning_init: TEXT needs a text with at least one token (prompt_tuning_init_text).");
        int[] chosen = [.. Enumerable.Range(0, rows).Select(i => init == PromptInit.Text ? tokens![i % tokens.Count] : CounterRandom.Below(1, i, table.Count))];
        return new GivenInit(TokenVectors.RowsOf(table, chosen, parts.Store));
    }
}

/// <summary>How vectors of prompt tuning start out.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PromptInit>))]
public enum PromptInit
{
    /// <summary>Normal numbers.</summary>
    [JsonStringEnumMemberName("RANDOM")]
    Random,

    /// <summary>As tokens of a text.</summary>
    [JsonStringEnumMemberName("TEXT")]
    Text,

    /// <summary>As tokens of the vocabulary, chosen at random.</summary>
    [JsonStringEnumMemberName("SAMPLE_VOCAB")]
    SampleVocab,
}

/// <summary>
/// P-tuning (Liu et al., "GPT Understands, Too", 2021): the vectors before the text are made by a small network, which is trained with
/// them and not stored by PEFT. Left out: the recurrent network (LSTM).
/// </summary>
/// <param name="NumVirtualTokens">Vectors, ≥ 1.</param>
/// <param name="EncoderReparameterizationType">The network: MLP.</param>
/// <param name="EncoderHiddenSize">Its inner width; C where null.</param>
/// <param name="EncoderNumLayers">Only handed on: the MLP has three layers.</param>
/// <param name="EncoderDropout">Only handed on: the MLP has none.</param>
/// <param name="TokenDim">Width C; the model's where null.</param>
/// <param name="NumTransformerSubmodules">1 for decoders, 2 for models with an encoder.</param>
/// <param name="NumAttentionHeads">Heads of the model; only handed on.</param>
/// <param name="NumLayers">Layers of the model; only handed on.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
public sealed record PTuningConfig(
    int NumVirtualTokens = 20,
    string EncoderReparameterizationType = "MLP",
    int? EncoderHiddenSize = null,
    int EncoderNumLayers = 2,
    float EncoderDropout = 0,
    int? TokenDim = null,
    int? NumTransformerSubmodules = null,
    int? NumAttentionHeads = null,
    int? NumLayers = null,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : PromptConfig(NumVirtualTokens, TokenDim, NumTransformerSubmodules, NumAttentionHeads, NumLayers, TaskType, BaseModelNameOrPath, InferenceMode)
{
    internal override void Build(AdapterParts parts)
    {
        // What an LSTM made can be read: the file holds the vectors.
        if (parts.IsNew && EncoderReparameterizationType != "MLP")
            throw new InvalidDataException($"encoder_reparameterization_type: {EncoderReparameterizationType} cannot be trained here; write MLP.");
        int width = TokenDim!.Value, inner = EncoderHiddenSize ?? width;
        PromptTable tokens = new(this, parts, Init.Normal(1), place => new PromptLayers(place, "mlp_head", Activation.Relu, width, inner, inner, width));
        parts.Add(TokenVectors.InputTable(parts.Model, "num_virtual_tokens"), new PromptLookup(tokens));
        parts.Prefix = tokens;
    }
}

/// <summary>
/// Multitask prompt tuning (Wang et al., "Multitask Prompt Tuning Enables Parameter-Efficient Transfer Learning", 2023): tasks share one
/// table of vectors, which each task scales by a matrix of low rank of its own (<see cref="TokenBatch.Tasks"/>).
/// </summary>
/// <param name="NumVirtualTokens">Vectors, ≥ 1.</param>
/// <param name="NumTasks">Tasks, ≥ 1.</param>
/// <param name="NumRanks">Rank of the tasks' matrices, ≥ 1.</param>
/// <param name="PromptTuningInit">How the shared vectors start out; the names of starts from other adapters are only handed on.</param>
/// <param name="PromptTuningInitText">The text whose tokens they start out as.</param>
/// <param name="TokenizerNameOrPath">The tokenizer of that text; only handed on.</param>
/// <param name="TokenDim">Width C; the model's where null.</param>
/// <param name="NumTransformerSubmodules">1 for decoders, 2 for models with an encoder.</param>
/// <param name="NumAttentionHeads">Heads of the model; only handed on.</param>
/// <param name="NumLayers">Layers of the model; only handed on.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
[UnusedKeys("tokenizer_kwargs", "prompt_tuning_init_state_dict_path", "prompt_tuning_init_task")]
public sealed record MultitaskPromptTuningConfig(
    int NumVirtualTokens = 20,
    int NumTasks = 1,
    int NumRanks = 1,
    string PromptTuningInit = "RANDOM",
    string? PromptTuningInitText = null,
    string? TokenizerNameOrPath = null,
    int? TokenDim = null,
    int? NumTransformerSubmodules = null,
    int? NumAttentionHeads = null,
    int? NumLayers = null,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : PromptConfig(NumVirtualTokens, TokenDim, NumTransformerSubmodules, NumAttentionHeads, NumLayers, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <summary>The tokens of the text that a new adapter starts from; it is cut or repeated to fit.</summary>
    [JsonIgnore]
    public IReadOnlyList<int>? InitTokens { get; init; }

    /// <inheritdoc/>
    public override IEnumerable<string> Problems() => base.Problems().Concat(new[] { AtLeastOne("num_tasks", NumTasks), AtLeastOne("num_ranks", NumRanks) }.OfType<string>());

    internal override void Build(AdapterParts parts)
    {
        PromptInit init = PromptTuningInit switch
        {
            "RANDOM" => PromptInit.Random,
            "TEXT" => PromptInit.Text,
            "SAMPLE_VOCAB" => PromptInit.SampleVocab,
            _ when !parts.IsNew => PromptInit.Random,
            _ => throw new InvalidDataException($"prompt_tuning_init: {PromptTuningInit} starts from another adapter, which is not supported; write RANDOM, TEXT or SAMPLE_VOCAB."),
        };
        Embedding table = TokenVectors.InputTable(parts.Model, "num_virtual_tokens");
        MultitaskPrompt tokens = new(this, parts, PromptTuningConfig.StartOf(init, InitTokens, table, Rows, parts));
        parts.Add(table, new PromptLookup(tokens));
        parts.Prefix = tokens;
    }
}

/// <summary>P ∘ (U_t·W_t) for each task t: P (rows, C), U (tasks, rows, rank), W (tasks, rank, C).</summary>
internal sealed class MultitaskPrompt : VirtualTokens, IStoredPrompt
{
    private readonly MultitaskPromptTuningConfig _config;
    private readonly Parameter _shared;
    private readonly Parameter _columns;
    private readonly Parameter _rows;

    public MultitaskPrompt(MultitaskPromptTuningConfig config, AdapterParts parts, Init init)
    {
        _config = config;
        Scope place = parts.File["prompt_encoder"];
        int width = config.TokenDim!.Value;
        _shared = place.Parameter("embedding.weight", new Shape(config.Rows, width), init);
        _columns = place.Parameter("prefix_task_cols", new Shape(config.NumTasks, config.Rows, config.NumRanks), Init.Normal(0.02f));
        _rows = place.Parameter("prefix_task_rows", new Shape(config.NumTasks, config.NumRanks, width), Init.Normal(0.02f));
        Parameters = [_shared, _columns, _rows];
    }

    public override int Length => _config.NumVirtualTokens;

    public override IReadOnlyList<Parameter> Parameters { get; }

    public bool HasNetwork => false;

    public override Tensor Vectors(Workspace step)
    {
        int tasks = _config.NumTasks, rows = _config.Rows, width = _config.TokenDim!.Value;
        Tensor own = _columns.In(step).MatMul(_rows.In(step)).Reshape(tasks * rows, width);
        Tensor all = _shared.In(step).Gather(step.From([.. Enumerable.Range(0, tasks * rows).Select(i => i % rows)])).Multiply(own);
        // Of a model with an encoder, the rows for the decoder are not used.
        return rows == Length ? all : all.Gather(step.From([.. Enumerable.Range(0, tasks * Length).Select(i => (i / Length * rows) + (i % Length))]));
    }

    public IReadOnlyDictionary<string, Tensor> Stored(Workspace store) => new Dictionary<string, Tensor>
    {
        ["prompt_embeddings"] = _shared.Value,
        ["prefix_task_cols"] = _columns.Value,
        ["prefix_task_rows"] = _rows.Value,
    };
}
