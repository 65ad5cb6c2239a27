// The settings that a stage begins with when a person names a model and data only. Rules of thumb, each from where it is known: LoRA on every
// linear layer with a rate of 2e-4 (Hu et al., 2022; Dettmers et al., "QLoRA", 2023), the whole of a small model at a lower one, one pass over
// much data and three over little (Zhou et al., "LIMA", 2023: more for a thousand examples), 20 tokens a parameter (Hoffmann et al., 2022).

using Gradus.Bundle;
using Gradus.Cli.Verbs;
using Gradus.Files;
using Gradus.Files.Gguf;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Text;
using Gradus.Text.Chat;
using Gradus.Training;
using Gradus.Training.Data;
using Gradus.Training.Optimizers;

namespace Gradus.Cli.Stages;

/// <summary>Chooses a recipe for a model and data.</summary>
internal static class RecipeChoice
{
    private const long TrainedWhole = 60_000_000;

    /// <summary>What a model is, without its weights.</summary>
    private sealed record Facts(ModelLocation Location, ModelConfig Config, long Parameters, bool Packed)
    {
        public bool ReadsSource => Config.ArchitectureClass.EndsWith("ForConditionalGeneration", StringComparison.Ordinal);

        public string Name => Path.GetFileNameWithoutExtension(Location.Folder.TrimEnd('/', '\\'));
    }

    /// <summary>A recipe to fine-tune a model.</summary>
    /// <param name="model">The model's folder, file or name.</param>
    /// <param name="data">Files of conversations.</param>
    /// <param name="context">The command line.</param>
    /// <exception cref="InvalidDataException">The model or the data cannot be read.</exception>
    public static FinetuneRecipe Finetune(string model, string[] data, StageContext context)
    {
        Facts facts = Read(model, context);
        if (facts.Location.Adapter is not null)
            throw new InvalidDataException($"{model}: is an adapter; merge it into its model first: gradus convert {model} FOLDER");
        ExampleReport examples = Examples(facts, context.Files(data));
        int count = examples.Examples.Count;
        if (count == 0)
            throw new InvalidDataException($"{string.Join(", ", data)}: no record has an answer to learn; gradus inspects the data with: gradus data inspect {data[0]} --model {model}");
        bool whole = facts.Parameters <= TrainedWhole && !facts.Packed;
        bool holdOut = count >= 20;
        int longest = examples.Examples.Max(e => e.TotalTokens);
        // Enough examples a step for a steady gradient, few enough for a step to fit: sixteen, or fewer of little data.
        double perStep = Math.Clamp(count / 20.0, 1, 16), tokens = (double)examples.Tokens / count;
        int batchTokens = (int)Math.Clamp(Math.Max(longest, tokens * perStep), 64, Math.Max(longest, 2048));
        int accumulation = Math.Max(1, (int)Math.Round(tokens * perStep / batchTokens));
        int passes = count < 10_000 ? 3 : 1;
        int steps = Math.Max(10, (int)Math.Ceiling(passes * count * (holdOut ? 0.95 : 1) * tokens / (batchTokens * 0.9 * accumulation)));
        return new FinetuneRecipe
        {
            Run = RunFolderOf(facts, data),
            Model = model,
            Data = new TextData(holdOut ? 0.05 : 0) { Train = data },
            TooLong = TooLong.KeepAnswer,
            BatchTokens = batchTokens,
            Accumulation = accumulation,
            Lora = whole ? null : new LoraOptions(R: count < 1000 ? 8 : 16, Alpha: count < 1000 ? 16 : 32),
            Quantize = whole || facts.Packed || !IsLarge(facts) ? null : new QuantizeOptions(),
            KeepStoredType = !whole,
            Training = new TrainingOptions(Steps: steps, Precision: Precision.Auto, EvaluateEvery: holdOut ? Math.Max(1, steps / 5) : 0)
            {
                Optimizer = new AdamW(LearningRate: whole ? 1e-4 : facts.Parameters > 7_000_000_000 ? 1e-4 : 2e-4),
                Schedule = new CosineSchedule(WarmupSteps: Math.Max(1, steps / 20), Least: 0.1),
            },
        };
    }

    /// <summary>A recipe to train a model on text: a new one, or one that goes on.</summary>
    /// <param name="model">A model to go on from; null for a new one.</param>
    /// <param name="data">Files of text.</param>
    /// <param name="context">The command line.</param>
    /// <exception cref="InvalidDataException">The model or the data cannot be read.</exception>
    public static PretrainRecipe Pretrain(string? model, string[] data, StageContext context)
    {
        string[] files = context.Files(data);
        long characters = TextFiles.Documents(files).Sum(d => (long)d.Length);
        Facts? facts = model is null ? null : Read(model, context);
        // A token of a character where the tokenizer is new, of about four characters else.
        long tokens = facts is null ? characters : characters / 4;
        int context0 = facts?.Config.ContextLength ?? 256, length = Math.Min(context0, 256), blocks = Math.Max(1, 4096 / length);
        int steps = (int)Math.Clamp(3 * tokens / ((long)blocks * length), 100, 100_000);
        int width = (int)Math.Clamp(Math.Sqrt(characters / 20.0 / (12 * 4)) / 32, 2, 24) * 32;
        return new PretrainRecipe
        {
            Run = $"runs/{(facts is null ? "" : facts.Name + "-")}{Path.GetFileNameWithoutExtension(data[0])}",
            Tokenizer = facts is null ? "character" : facts.Location.Folder,
            Data = new TextData(0.05) { Train = data },
            StartFrom = model,
            Model = facts is null
                ? new LlamaConfig(HiddenSize: width, IntermediateSize: width * 8 / 3 / 32 * 32, NumHiddenLayers: 4, NumAttentionHeads: width / 32, MaxPositionEmbeddings: 256, TieWordEmbeddings: true)
                : new Gpt2Config(),
            Batching = new BlockBatching(length, blocks),
            Training = new TrainingOptions(Steps: steps, Precision: Precision.Auto, EvaluateEvery: Math.Max(1, steps / 10), EvaluateBatches: 20)
            {
                Optimizer = new AdamW(LearningRate: facts is null ? 1e-3 : 1e-4, WeightDecay: 0.1f),
                Schedule = new CosineSchedule(WarmupSteps: Math.Max(1, steps / 50), Least: 0.1),
            },
        };
    }

    /// <summary>A recipe to measure a model: its answers to conversations, or its loss on text.</summary>
    /// <param name="model">The model's folder, file or name.</param>
    /// <param name="data">Files of conversations or of text.</param>
    /// <param name="context">The command line.</param>
    /// <exception cref="InvalidDataException">The model or the data cannot be read.</exception>
    public static EvaluateRecipe Evaluate(string model, string[] data, StageContext context)
    {
        Facts facts = Read(model, context);
        string file = context.Files(data)[0], task = Path.GetFileNameWithoutExtension(data[0]);
        bool conversations = !TextFiles.IsPlain(file) && TextFiles.Records(file).FirstOrDefault() is { } record && Conversations.IsConversation(record);
        return new EvaluateRecipe
        {
            Run = $"{RunFolderOf(facts, data)}-evaluation",
            Models = new() { [facts.Name] = model },
            Tasks = [conversations ? new AnswerTaskRecipe { Name = task, Data = data, MaxTokens = 128 } : new LossTaskRecipe { Name = task, Data = data }],
        };
    }

    private static string RunFolderOf(Facts facts, string[] data) => $"runs/{facts.Name}-{Path.GetFileNameWithoutExtension(data[0])}";

    // Half of the memory for the frozen weights leaves the other for everything else.
    private static bool IsLarge(Facts facts) => 2 * facts.Parameters > GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;

    private static Facts Read(string model, StageContext context)
    {
        ModelLocation location = ModelFolder.Find(model, cancel: context.Cancellation);
        ModelConfig config = Checkpoint.ReadConfig(location.Folder);
        if (!Architectures.WritesText(config))
            throw new InvalidDataException($"{location.Folder}: {config.Architecture} does not write text; give a decoder such as gpt2 or llama.");
        if (GgufModel.IsGguf(location.Folder))
        {
            using GgufModel gguf = GgufModel.Open(location.Folder);
            return new Facts(location, config, Count(gguf.Tensors), Packed: true);
        }
        using TensorFile file = Directory.Exists(location.Folder) ? Checkpoint.OpenTensors(location.Folder) : TensorFile.Open(location.Folder);
        return new Facts(location, config, Count(file), Packed: false);

        static long Count(TensorFile tensors) => tensors.Entries.Sum(e => e.Shape.Count);
    }

    private static ExampleReport Examples(Facts facts, string[] files)
    {
        Tokenizer tokenizer = facts.Location.OpenTokenizer();
        ExampleLimits limits = new(facts.Config.ContextLength, int.MaxValue, TooLong.KeepAnswer);
        if (facts.ReadsSource)
            return new SupervisedExamples(tokenizer, 0, limits).Read(files);
        string template = tokenizer.Parts.ChatTemplate ?? DefaultChatTemplate.For(tokenizer);
        return new SupervisedExamples(new ChatEncoder(tokenizer, ChatTemplate.Parse(template)), limits).Read(files);
    }
}
