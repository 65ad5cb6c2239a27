using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Cli.Configuration;
using Gradus.Cli.Verbs;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Tensors.Packed;
using Gradus.Text;
using Gradus.Training;
using Gradus.Training.Objectives;
using Gradus.Training.Planning;
using Gradus.Training.Tuning;
using TunedModel = Gradus.Training.Tuning.Tuning;

namespace Gradus.Cli.Stages;

/// <summary>A training that is to be planned.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Model">The model.</param>
/// <param name="Shape">The shape of its steps.</param>
/// <param name="Options">How it is trained.</param>
/// <param name="Steps">How many steps it has; null where that is not said.</param>
internal sealed record PlannedTraining(string Name, ModelConfig Model, StepShape Shape, TrainingOptions Options, int? Steps)
{
    private Func<LanguageModel, TunedModel>? Tune { get; init; }

    private WeightStorage? Storage { get; init; }

    private Func<LanguageModel, Objective>? Objective { get; init; }

    /// <summary>Counts it.</summary>
    public TrainingPlan Plan(Device device) => TrainingPlan.Of(Model, Shape, Options, device, Tune, Storage, Objective);

    /// <summary>The training of a recipe.</summary>
    /// <param name="file">A recipe of pretrain or finetune.</param>
    /// <param name="context">The command line.</param>
    /// <exception cref="InvalidDataException">It is another kind of recipe, or cannot be read.</exception>
    public static PlannedTraining OfRecipe(string file, StageContext context)
    {
        JsonObject json = Parse(file);
        if (json.ContainsKey("stages"))
            throw new InvalidDataException($"{file}: has several stages; plan a recipe of one stage, or give a model.");
        if (json["tokenizer"] is not null || json["model"] is JsonObject)
            return Of((PretrainRecipe)ConfigurationTree.Load(new PretrainRecipe().Metadata, new PretrainRecipe(), file, []), context);
        if (json["model"] is JsonValue && !json.ContainsKey("objective"))
            return Of((FinetuneRecipe)ConfigurationTree.Load(new FinetuneRecipe().Metadata, new FinetuneRecipe(), file, []), context);
        throw new InvalidDataException($"{file}: is no recipe of pretrain or finetune; those are planned, and models.");
    }

    /// <summary>The usual ways to tune a model: the whole, LoRA, and LoRA over four bits.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokens">Tokens of a step.</param>
    /// <param name="rank">The rank of LoRA.</param>
    /// <param name="recompute">Whether activations are computed again.</param>
    /// <param name="context">The command line.</param>
    public static IEnumerable<PlannedTraining> OfModel(string model, int tokens, int rank, bool recompute, StageContext context)
    {
        ModelLocation location = ModelFolder.Find(model, cancel: context.Cancellation);
        ModelConfig config = Checkpoint.ReadConfig(location.Folder);
        TrainingOptions options = new TrainingOptions(Recompute: recompute, Precision: Precision.Auto).On(context.Device);
        StepShape shape = new(tokens, Math.Min(tokens, config.ContextLength));
        yield return new PlannedTraining("full tuning", config, shape, options, null);
        if (config.UsualTargets is null)
            yield break;
        LoraMethod lora = new(rank, 2 * rank) { TargetModules = ["all-linear"] };
        WeightStorage stored = StorageOf(location.Folder);
        yield return new PlannedTraining($"LoRA, rank {rank}", config, shape, options, null) { Tune = Tuned(lora, location, options), Storage = stored };
        if (stored.Blocks is null)
            yield return new PlannedTraining($"LoRA, rank {rank}, over NF4", config, shape, options, null) { Tune = Tuned(lora, location, options), Storage = stored with { Blocks = PackedFormats.Get("NF4") } };
    }

    /// <summary>A run of <c>gradus pretrain</c>.</summary>
    public static PlannedTraining Of(PretrainRecipe recipe, StageContext context)
    {
        ModelConfig config = recipe.StartFrom is { } from ? Checkpoint.ReadConfig(ModelFolder.Find(from, cancel: context.Cancellation).Folder) : recipe.Model;
        if (recipe.QuantizationAware is not null)
            throw new InvalidDataException("quantization_aware: training with rounded weights is not planned; plan the recipe without that key for all but the rounded weights.");
        // A tokenizer that is not there yet has as many tokens as the model says.
        Tokenizer? tokenizer = PretrainStage.TokenizerOf(recipe, context);
        if (tokenizer is null && recipe.Objective is not NextTokenRecipe)
            throw new InvalidDataException($"tokenizer: {recipe.Tokenizer} is not there yet, and the objective depends on it; train it first.");
        if (recipe.StartFrom is null && tokenizer is not null)
        {
            tokenizer = recipe.Objective.Prepare(tokenizer);
            config = config.WithVocabulary(tokenizer.VocabularySize);
        }
        int length = config.ContextLength - recipe.Objective.AddedTokens;
        StepShape shape = recipe.Batching switch
        {
            BlockBatching blocks => new StepShape(blocks.Length * blocks.Count, blocks.Length, recipe.Accumulation),
            PackedBatching packed => new StepShape(packed.Tokens, Math.Min(packed.Tokens, length), recipe.Accumulation),
            _ => throw new InvalidDataException($"batching.kind: {recipe.Batching.GetType().Name} is not planned."),
        };
        return new PlannedTraining("pre-training", config, shape, recipe.Training.On(context.Device), recipe.Training.Steps)
        {
            Objective = tokenizer is null ? null : model => recipe.Objective.Make(model, tokenizer, shape.Texts(config.Vocabulary), null, recipe.Accumulation, (ulong)recipe.Training.Seed),
        };
    }

    /// <summary>A run of <c>gradus finetune</c>.</summary>
    public static PlannedTraining Of(FinetuneRecipe recipe, StageContext context)
    {
        if (recipe.Task is not null || recipe.Embeddings is not null)
            throw new InvalidDataException("task, embeddings: the training of heads and of vectors is not planned; plan the model itself for its memory.");
        ModelLocation location = ModelFolder.Find(recipe.Model, cancel: context.Cancellation);
        ModelConfig config = Checkpoint.ReadConfig(location.Folder);
        TuningMethod method = recipe.Tuned;
        TrainingOptions options = FinetuneStage.WithGroups(recipe.Training, method).On(context.Device);
        bool keep = recipe.KeepStoredType && method.FreezesModel;
        WeightStorage storage = keep ? StorageOf(location.Folder) : new WeightStorage();
        if (recipe.Quantize is { } quantize)
            storage = storage with { Blocks = FinetuneStage.Format(quantize), DenseWhileLoading = !keep, DoubleQuantization = quantize.DoubleQuantization };
        int longest = Math.Min(recipe.MaxLength > 0 ? recipe.MaxLength : config.ContextLength, recipe.BatchTokens);
        return new PlannedTraining("fine-tuning", config, new StepShape(recipe.BatchTokens, longest, recipe.Accumulation), options, options.Steps)
        {
            Tune = Tuned(method, location, options),
            Storage = storage,
        };
    }

    private static Func<LanguageModel, TunedModel> Tuned(TuningMethod method, ModelLocation location, TrainingOptions options) => model =>
        method.Apply(new TuningTarget(model, location.OpenTokenizer(), location.Folder, model is EncoderDecoderModel ? "SEQ_2_SEQ_LM" : "CAUSAL_LM", options.Steps), (ulong)options.Seed);

    // As most of the weights are stored.
    private static WeightStorage StorageOf(string folder)
    {
        if (GgufModel.IsGguf(folder))
        {
            using GgufModel gguf = GgufModel.Open(folder);
            return Of(gguf.Tensors);
        }
        using TensorFile file = Directory.Exists(folder) ? Checkpoint.OpenTensors(folder) : TensorFile.Open(folder);
        return Of(file);

        static WeightStorage Of(TensorFile file)
        {
            TensorEntry most = file.Entries.GroupBy(e => e.TypeName).MaxBy(g => g.Sum(e => e.Shape.Count))!.First();
            return most.Packed is { } format ? new WeightStorage(DType.F32, format) : new WeightStorage(most.DType is DType.BF16 or DType.F16 ? most.DType : DType.F32);
        }
    }

    private static JsonObject Parse(string file)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(file), documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true }) as JsonObject
                ?? throw new InvalidDataException($"{file}: is no recipe, which is a JSON object.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file}: is no JSON: {e.Message}", e);
        }
    }
}
