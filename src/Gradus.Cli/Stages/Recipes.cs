// What the verbs that train and evaluate can be told. The keys of recipe files are these names in snake_case.

using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Training;
using Gradus.Training.Data;
using Gradus.Training.Optimizers;

namespace Gradus.Cli.Stages;

/// <summary>One stage in the life of a model.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(SmallWorldRecipe), "small_world")]
[JsonDerivedType(typeof(TokenizerRecipe), "tokenizer")]
[JsonDerivedType(typeof(PretrainRecipe), "pretrain")]
[JsonDerivedType(typeof(FinetuneRecipe), "finetune")]
[JsonDerivedType(typeof(EvaluateRecipe), "evaluate")]
public abstract record StageRecipe
{
    /// <summary>The stage's name in the report.</summary>
    public string Title { get; init; } = "";

    /// <summary>One or two sentences for the report: what the stage is for.</summary>
    public string What { get; init; } = "";

    /// <summary>The folder of the run. In a pipeline <c>$run</c> stands for the pipeline's folder.</summary>
    [MinLength(1)]
    public string Run { get; init; } = "";
}

/// <summary>Write the small world: generated stories, dialogues with summaries, instructions, and conversations.</summary>
public sealed record SmallWorldRecipe : StageRecipe
{
    /// <summary>Which texts are drawn.</summary>
    [Range(0, long.MaxValue)]
    public long Seed { get; init; } = 1;

    /// <summary>Stories, dialogues and instructions to train on.</summary>
    [Range(1, 100_000)]
    public int Stories { get; init; } = 20_000;

    /// <inheritdoc cref="Stories"/>
    [Range(1, 100_000)]
    public int Dialogues { get; init; } = 6_000;

    /// <inheritdoc cref="Stories"/>
    [Range(1, 100_000)]
    public int Instructions { get; init; } = 6_000;

    /// <summary>Conversations with the model itself to train on.</summary>
    [Range(1, 20_000)]
    public int Conversations { get; init; } = 4_000;

    /// <summary>Texts of each kind in the validation and the test part.</summary>
    [Range(1, 10_000)]
    public int HeldOut { get; init; } = 300;
}

/// <summary>Train a tokenizer.</summary>
public sealed record TokenizerRecipe : StageRecipe
{
    /// <summary>Files of text, or of records with text, messages, or other known fields.</summary>
    [MinLength(1)]
    public string[] Data { get; init; } = [];

    /// <summary>What the files call a field, and the name that it is read as: <c>{"content": "text"}</c>.</summary>
    public Dictionary<string, string> Columns { get; init; } = [];

    /// <summary>Tokens of the vocabulary, the special ones included.</summary>
    [Range(256, 10_000_000)]
    public int VocabularySize { get; init; } = 4096;

    /// <summary>A pair of tokens must occur so often to be joined.</summary>
    [Range(1, int.MaxValue)]
    public int MinFrequency { get; init; } = 2;
}

/// <summary>Where text comes from.</summary>
/// <param name="ValidationFraction">Share of the training text, from its end, that is held out where no validation files are given.</param>
public sealed record TextData([Range(0.0, 0.9)] double ValidationFraction = 0)
{
    /// <summary>Files to train on.</summary>
    [MinLength(1)]
    public string[] Train { get; init; } = [];

    /// <summary>Files held out.</summary>
    public string[] Validation { get; init; } = [];

    /// <summary>What the files call a field, and the name that it is read as: <c>{"question": "prompt", "answer": "completion"}</c>.</summary>
    public Dictionary<string, string> Columns { get; init; } = [];
}

/// <summary>How text is cut into micro-batches.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(BlockBatching), "blocks")]
[JsonDerivedType(typeof(PackedBatching), "packed")]
public abstract record Batching;

/// <summary>Blocks from random places of the text, all documents joined to one.</summary>
/// <param name="Length">Tokens per block.</param>
/// <param name="Count">Blocks per micro-batch.</param>
public sealed record BlockBatching([Range(1, int.MaxValue)] int Length = 64, [Range(1, int.MaxValue)] int Count = 12) : Batching;

/// <summary>Whole documents end to end; they do not see each other. Longer ones are cut at the model's context.</summary>
/// <param name="Tokens">The most tokens per micro-batch.</param>
public sealed record PackedBatching([Range(1, int.MaxValue)] int Tokens = 2048) : Batching;

/// <summary>Texts that the model writes at every evaluation, so that one sees it improve.</summary>
/// <param name="MaxTokens">Tokens per text.</param>
/// <param name="Temperature">0 for the likeliest token each time.</param>
/// <param name="TopK">Tokens to choose from; 0 for all.</param>
public sealed record SampleOptions(
    [Range(1, int.MaxValue)] int MaxTokens = 120,
    [Range(0.0, 100.0)] float Temperature = 0.8f,
    [Range(0, int.MaxValue)] int TopK = 50)
{
    /// <summary>What the texts begin with (pre-training), or what the user says (fine-tuning).</summary>
    public string[] Prompts { get; init; } = [];
}

/// <summary>Train a model on text.</summary>
public sealed record PretrainRecipe : StageRecipe
{
    /// <summary>A tokenizer's folder or file, or "character" for one token per distinct character of the text.</summary>
    [MinLength(1)]
    public string Tokenizer { get; init; } = "";

    /// <summary>The text.</summary>
    public TextData Data { get; init; } = new();

    /// <summary>The architecture; the tokenizer sets its vocabulary.</summary>
    public ModelConfig Model { get; init; } = new Gpt2Config();

    /// <summary>A model to go on from, instead of a new one.</summary>
    public string? StartFrom { get; init; }

    /// <summary>How text is cut into micro-batches.</summary>
    public Batching Batching { get; init; } = new PackedBatching();

    /// <summary>Micro-batches per step.</summary>
    [Range(1, int.MaxValue)]
    public int Accumulation { get; init; } = 1;

    /// <summary>Steps, optimizer, schedule, evaluations and checkpoints.</summary>
    public TrainingOptions Training { get; init; } = new();

    /// <summary>Texts to write along the way.</summary>
    public SampleOptions Samples { get; init; } = new();
}

/// <summary>Low-rank adaptation of a frozen model (Hu et al., "LoRA", 2022).</summary>
/// <param name="R">Rank.</param>
/// <param name="Alpha">Scale of the update times the rank.</param>
/// <param name="Dropout">Dropout of the adapter's input.</param>
public sealed record LoraOptions(
    [Range(1, int.MaxValue)] int R = 16,
    [Range(1.0, double.PositiveInfinity)] float Alpha = 32,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float Dropout = 0)
{
    /// <summary>Names of the linear layers to adapt, or "all-linear".</summary>
    [MinLength(1)]
    public string[] TargetModules { get; init; } = ["all-linear"];
}

/// <summary>How a frozen model's weights are quantized in memory before an adapter is trained over them (Dettmers et al., "QLoRA", 2023).</summary>
/// <param name="Format">A packed format: NF4, Q4_K, Q8_0 …</param>
/// <param name="DoubleQuantization">Quantize the scales of NF4's blocks too: 4.127 bits a weight instead of 4.5.</param>
public sealed record QuantizeOptions(string Format = "NF4", bool DoubleQuantization = false);

/// <summary>Train a model on conversations; only the assistant's words count. Models with an encoder learn to write the target of a source.</summary>
public sealed record FinetuneRecipe : StageRecipe
{
    /// <summary>The model to start from: a checkpoint, or a run's folder.</summary>
    [MinLength(1)]
    public string Model { get; init; } = "";

    /// <summary>Conversations: messages, sharegpt, alpaca, prompt/completion, dialogue/summary or source/target records; documents: text.</summary>
    public TextData Data { get; init; } = new();

    /// <summary>The most tokens of a conversation; 0 for the model's context.</summary>
    [Range(0, int.MaxValue)]
    public int MaxLength { get; init; }

    /// <summary>What becomes of longer conversations: left out, cut at their beginning, or split into several.</summary>
    public TooLong TooLong { get; init; } = TooLong.Drop;

    /// <summary>The most tokens per micro-batch.</summary>
    [Range(1, int.MaxValue)]
    public int BatchTokens { get; init; } = 2048;

    /// <summary>Micro-batches per step.</summary>
    [Range(1, int.MaxValue)]
    public int Accumulation { get; init; } = 1;

    /// <summary>Train an adapter and leave the model as it is; null to train the whole model.</summary>
    public LoraOptions? Lora { get; init; }

    /// <summary>Quantize the frozen model's linear layers, but for the output head, when it is loaded (QLoRA); only with an adapter.</summary>
    public QuantizeOptions? Quantize { get; init; }

    /// <summary>Keep the frozen model's weights as they are stored (BF16, F16, a GGUF file's blocks: QLoRA); only with an adapter.</summary>
    public bool KeepStoredType { get; init; }

    /// <summary>Steps, optimizer, schedule, evaluations and checkpoints.</summary>
    public TrainingOptions Training { get; init; } = new() { Optimizer = new AdamW(LearningRate: 2e-4) };

    /// <summary>Answers to write along the way.</summary>
    public SampleOptions Samples { get; init; } = new();
}

/// <summary>Measure a model.</summary>
public sealed record EvaluateRecipe : StageRecipe
{
    /// <summary>The models by the names that the report calls them.</summary>
    [MinLength(1)]
    public Dictionary<string, string> Models { get; init; } = [];

    /// <summary>What to measure.</summary>
    [MinLength(1)]
    public TaskRecipe[] Tasks { get; init; } = [];

    /// <summary>How matrix products round their operands.</summary>
    public Precision Precision { get; init; } = Precision.F32;
}

/// <summary>One measurement.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(LossTaskRecipe), "loss")]
[JsonDerivedType(typeof(AnswerTaskRecipe), "answers")]
public abstract record TaskRecipe
{
    /// <summary>The measurement's name in the report.</summary>
    [MinLength(1)]
    public string Name { get; init; } = "";

    /// <summary>The files.</summary>
    [MinLength(1)]
    public string[] Data { get; init; } = [];

    /// <summary>What the files call a field, and the name that it is read as: <c>{"question": "prompt", "answer": "completion"}</c>.</summary>
    public Dictionary<string, string> Columns { get; init; } = [];

    /// <summary>The most records; 0 for all.</summary>
    [Range(0, int.MaxValue)]
    public int Limit { get; init; }
}

/// <summary>Loss, perplexity and bits per byte of text.</summary>
public sealed record LossTaskRecipe : TaskRecipe;

/// <summary>Answers written by the model, compared with the right ones.</summary>
public sealed record AnswerTaskRecipe : TaskRecipe
{
    /// <summary>Metrics by name.</summary>
    [MinLength(1)]
    public string[] Metrics { get; init; } = ["rouge1", "rouge2", "rougeL", "rougeLsum"];

    /// <summary>Solved examples shown before each question.</summary>
    [Range(0, 100)]
    public int Shots { get; init; }

    /// <summary>Where the solved examples come from; needed with shots.</summary>
    public string[] ShotData { get; init; } = [];

    /// <summary>The longest answer, in tokens.</summary>
    [Range(1, int.MaxValue)]
    public int MaxTokens { get; init; } = 64;

    /// <summary>Answers kept as examples in the report.</summary>
    [Range(0, int.MaxValue)]
    public int Examples { get; init; } = 5;
}

/// <summary>Several stages, one after the other, with one report.</summary>
public sealed record PipelineRecipe
{
    /// <summary>The folder of the whole run.</summary>
    [MinLength(1)]
    public string Run { get; init; } = "";

    /// <summary>The report's title.</summary>
    public string Title { get; init; } = "";

    /// <summary>What to try with the result, for the report: command lines.</summary>
    public string[] Next { get; init; } = [];

    /// <summary>The stages in order.</summary>
    [MinLength(1)]
    public StageRecipe[] Stages { get; init; } = [];
}
