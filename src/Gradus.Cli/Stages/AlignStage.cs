using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Gradus.Bundle;
using Gradus.Cli.Verbs;
using Gradus.Files;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Text;
using Gradus.Text.Chat;
using Gradus.Training;
using Gradus.Training.Alignment;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;
using Gradus.Training.Runs;
using Gradus.Training.Tuning;

namespace Gradus.Cli.Stages;

/// <summary>Align a model with preferences or rewards: DPO and its relatives, KTO, a reward model, PPO, RLOO, GRPO.</summary>
public sealed record AlignRecipe : StageRecipe
{
    /// <summary>The model to start from: a checkpoint, or a run's folder. It is also the reference.</summary>
    [MinLength(1)]
    public string Model { get; init; } = "";

    /// <summary>Preferences (chosen and rejected, answers with scores, answers with labels), or prompts to answer.</summary>
    public TextData Data { get; init; } = new();

    /// <summary>What is learned from, and how.</summary>
    public AlignObjective Objective { get; init; } = new PreferenceAlignment();

    /// <summary>Train a low-rank adapter and leave the model as it is: the short form of method lora; null for the method, or the whole model.</summary>
    public LoraOptions? Lora { get; init; }

    /// <summary>What is trained: all of the model, chosen parameters, or an adapter on it; null for lora, or the whole model.</summary>
    public TuningMethod? Method { get; init; }

    /// <summary>Keep the frozen model's weights as they are stored; only with an adapter. The reference then shares them.</summary>
    public bool KeepStoredType { get; init; }

    /// <summary>The most tokens of a prompt with an answer; 0 for the model's context.</summary>
    [Range(0, int.MaxValue)]
    public int MaxLength { get; init; }

    /// <summary>The most tokens per micro-batch; both answers of a pair are in one.</summary>
    [Range(1, int.MaxValue)]
    public int BatchTokens { get; init; } = 4096;

    /// <summary>Micro-batches per step; of learning from own answers the objective says how many there are.</summary>
    [Range(1, int.MaxValue)]
    public int Accumulation { get; init; } = 1;

    /// <summary>Steps, optimizer, schedule, evaluations and checkpoints.</summary>
    public TrainingOptions Training { get; init; } = new() { Optimizer = new AdamW(LearningRate: 1e-6, WeightDecay: 0) };

    /// <summary>Answers to write along the way.</summary>
    public SampleOptions Samples { get; init; } = new();

    /// <summary>What is trained.</summary>
    internal TuningMethod Tuned => LoraOptions.MethodOf(Method, Lora);

    internal override string Summary => "Align a model with preferences or rewards: DPO and its relatives, KTO, a reward model, PPO, RLOO, GRPO.";

    internal override IReadOnlyList<string> MayChange => [.. base.MayChange, .. TrainingRunner.MayChange];

    internal override StageResult Execute(StageContext context) => AlignStage.Run(this, context);
}

/// <summary>Aligns a model.</summary>
internal static class AlignStage
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(AlignRecipe recipe, StageContext context)
    {
        TuningMethod method = recipe.Tuned;
        using RunFolder run = context.OpenRun(recipe);
        if (recipe.Objective is RewardAlignment reward)
            return RewardModelTuning.Run(recipe, reward, run, context);
        bool keep = recipe.KeepStoredType && method.FreezesModel;
        ModelBundleOptions options = new(keep, keep, WritesText: true, DefaultTemplate: true);
        string path = RunDescription.BaseOf(run) ?? recipe.Model;
        using ModelBundle bundle = context.OpenModel(path, options);
        if (bundle.Adapter is not null)
            throw new InvalidDataException($"{recipe.Model}: is an adapter; merge it into its model first: gradus merge {recipe.Model} --to FOLDER");
        using AlignSetting setting = new(recipe, bundle, () => context.OpenModel(path, options), context);
        setting.Prepare();
        TuningTarget target = new(bundle.Model, bundle.Tokenizer, Path.GetFullPath(bundle.Location.Folder), bundle.ReadsSource ? "SEQ_2_SEQ_LM" : "CAUSAL_LM", recipe.Objective.Updates(recipe.Training.Steps))
        {
            Batches = setting.Batches,
        };
        using Tuning tuning = method.Apply(target, (ulong)recipe.Training.Seed);
        Objective objective = setting.Objective();
        Sampler? sampler = recipe.Samples.Prompts.Length == 0 ? null : Sampler.OfAnswers(bundle, recipe.Samples, recipe.Training.Seed);
        return new TrainingRunner("align", context, FinetuneStage.WithGroups(recipe.Training, method), sampler, setting.Watch).Train(
            bundle.Model,
            tuning.For(objective),
            run,
            () =>
            {
                RunDescription.Write(run, recipe, recipe.Training.Seed, context.Device, bundle.Location.Folder);
                FinetuneStage.KeepBase("align", tuning, bundle, run, context);
            },
            folder => FinetuneStage.WriteWith(folder, tuning, bundle));
    }
}

/// <summary>The data and other models of an alignment, from which its objective is made once the model is prepared.</summary>
/// <param name="recipe">The recipe.</param>
/// <param name="bundle">The model to train.</param>
/// <param name="open">Opens the model once more, as a reference.</param>
/// <param name="context">The command line.</param>
internal sealed class AlignSetting(AlignRecipe recipe, ModelBundle bundle, Func<ModelBundle> open, StageContext context) : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private Func<Objective>? _objective;

    /// <summary>Batches of the training data, for methods that start from what layers read.</summary>
    public IEnumerable<TokenBatch> Batches { get; private set; } = [];

    /// <summary>Looks at the figures of learning from rewards, or null.</summary>
    public RewardWatch? Watch { get; private set; }

    private ulong Seed => (ulong)recipe.Training.Seed;

    private int Longest => recipe.MaxLength > 0 ? Math.Min(recipe.MaxLength, Room) : Room;

    private int Room => bundle.ContextLength - ((recipe.Tuned as PromptMethod)?.VirtualTokens ?? 0);

    /// <summary>Reads the data.</summary>
    /// <exception cref="InvalidDataException">It cannot be read, or nothing of it can be learned.</exception>
    public void Prepare()
    {
        switch (recipe.Objective)
        {
            case PreferenceAlignment preference:
                PreparePairs(preference);
                break;
            case UnpairedAlignment unpaired:
                PrepareLabelled(unpaired);
                break;
            case PolicyAlignment policy:
                PreparePolicy(policy);
                break;
        }
    }

    /// <summary>The objective: the model as it is now is the reference.</summary>
    public Objective Objective() => _objective!();

    /// <summary>Frees the reference and the models of rewards.</summary>
    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
            _owned[i].Dispose();
    }

    /// <summary>How conversations become tokens.</summary>
    public static SupervisedExamples Reader(ModelBundle bundle, ExampleLimits limits) =>
        bundle.Model is EncoderDecoderModel answering ? new(bundle.Tokenizer, answering.StartToken, limits) : new(bundle.Chat, limits);

    /// <summary>Reads pairs, and says how many there are.</summary>
    public static IReadOnlyList<PreferenceExample> Pairs(AlignRecipe recipe, string[] paths, SupervisedExamples examples, ExampleLimits limits, StageContext context)
    {
        PreferenceReader reader = new(examples, limits);
        IReadOnlyList<PreferenceExample> pairs = reader.Pairs(context.Files(paths), recipe.Data.Columns);
        Say(context, reader, pairs.Count, paths, "pairs");
        double longer = pairs.Count == 0 ? 0 : pairs.Count(p => p.Chosen.TotalTokens > p.Rejected.TotalTokens) / (double)pairs.Count;
        if (pairs.Count >= 20 && Math.Abs(longer - 0.5) > 0.2)
            context.Note(string.Create(CultureInfo.InvariantCulture, $"align: warning: the chosen answer is the longer one in {longer:P0} of the pairs; a model may learn the length rather than what is better"));
        return pairs;
    }

    /// <summary>Parts held-out items from the end where no files hold them.</summary>
    public static (IReadOnlyList<T> Train, IReadOnlyList<T> HeldOut) Parted<T>(IReadOnlyList<T> train, IReadOnlyList<T> heldOut, double fraction)
    {
        int kept = HoldOut.Kept(train.Count, fraction);
        return heldOut.Count > 0 || kept == train.Count ? (train, heldOut) : ([.. train.Take(kept)], [.. train.Skip(kept)]);
    }

    private static void Say(StageContext context, PreferenceReader reader, int count, string[] paths, string what)
    {
        string files = string.Join(", ", paths.Select(Path.GetFileName));
        context.Say(string.Create(CultureInfo.InvariantCulture, $"align: {reader.Records:N0} records of {files}, {count:N0} {what}"));
        foreach (string note in reader.Notes())
            context.Note($"align: {note}");
        if (count == 0)
            throw new InvalidDataException($"{files}: nothing is left to learn from; raise max_length or batch_tokens, or give other data.");
    }

    private void PreparePairs(PreferenceAlignment preference)
    {
        ExampleLimits limits = new(Longest, recipe.BatchTokens);
        IReadOnlyList<PreferenceExample> train, heldOut;
        if (preference.Sampling is { } sampling)
        {
            train = Sampled(recipe.Data.Train, preference, sampling, 0);
            heldOut = recipe.Data.Validation.Length == 0 ? [] : Sampled(recipe.Data.Validation, preference, sampling, 1);
        }
        else
        {
            SupervisedExamples reader = Reader(bundle, limits);
            train = Pairs(recipe, recipe.Data.Train, reader, limits, context);
            heldOut = recipe.Data.Validation.Length == 0 ? [] : Pairs(recipe, recipe.Data.Validation, reader, limits, context);
        }
        (train, heldOut) = Parted(train, heldOut, recipe.Data.ValidationFraction);
        PreferenceExamples pairs = new(train, recipe.BatchTokens, Seed);
        PreferenceExamples? validation = heldOut.Count == 0 ? null : new(heldOut, recipe.BatchTokens, Seed);
        SayPasses(pairs.BatchesOf(1), train.Count, heldOut.Count, "pairs");
        Batches = pairs.All().Select(b => b.Tokens);
        _objective = () =>
        {
            if (preference.Loss.UsesReference)
            {
                context.Say($"align: log-probabilities of the reference for {train.Count + heldOut.Count:N0} pairs");
                pairs.SetReference(bundle.Generative, recipe.Training.Precision, context.Cancellation);
                validation?.SetReference(bundle.Generative, recipe.Training.Precision, context.Cancellation);
            }
            return new PreferenceObjective(preference.Loss, pairs, validation, recipe.Accumulation, preference.SftCoefficient, preference.SftOnPrompts);
        };
    }

    private void PrepareLabelled(UnpairedAlignment unpaired)
    {
        ExampleLimits limits = new(Longest, recipe.BatchTokens);
        SupervisedExamples examples = Reader(bundle, limits);
        IReadOnlyList<UnpairedExample> train = Read(recipe.Data.Train), heldOut = recipe.Data.Validation.Length == 0 ? [] : Read(recipe.Data.Validation);
        (train, heldOut) = Parted(train, heldOut, recipe.Data.ValidationFraction);
        int good = train.Count(e => e.IsGood);
        context.Say($"align: {good:N0} good answers, {train.Count - good:N0} bad ones");
        if (good == 0 || good == train.Count)
            context.Note($"align: warning: all answers are {(good == 0 ? "bad" : "good")}; nothing is learned of the difference");
        UnpairedExamples answers = new(train, recipe.BatchTokens, Seed, unpaired.Loss.UsesKl);
        UnpairedExamples? validation = heldOut.Count < 2 ? null : new(heldOut, recipe.BatchTokens, Seed, unpaired.Loss.UsesKl);
        SayPasses(answers.BatchesOf(1), train.Count, heldOut.Count, "answers");
        Batches = answers.All().Select(b => b.Tokens);
        _objective = () =>
        {
            answers.SetReference(bundle.Generative, recipe.Training.Precision, context.Cancellation);
            validation?.SetReference(bundle.Generative, recipe.Training.Precision, context.Cancellation);
            return new UnpairedObjective(unpaired.Loss, answers, validation, recipe.Accumulation);
        };

        IReadOnlyList<UnpairedExample> Read(string[] paths)
        {
            PreferenceReader reader = new(examples, limits with { BatchTokens = Math.Max(1, unpaired.Loss.UsesKl ? recipe.BatchTokens / 2 : recipe.BatchTokens) });
            IReadOnlyList<UnpairedExample> read = reader.Labelled(context.Files(paths), recipe.Data.Columns);
            Say(context, reader, read.Count, paths, "answers");
            return read;
        }
    }

    private void PreparePolicy(PolicyAlignment policy)
    {
        (List<AnswerPrompt> train, List<AnswerPrompt> heldOut) = (Prompts(recipe.Data.Train, policy.Options.MaxNewTokens), recipe.Data.Validation.Length == 0 ? [] : Prompts(recipe.Data.Validation, policy.Options.MaxNewTokens));
        (IReadOnlyList<AnswerPrompt> learned, IReadOnlyList<AnswerPrompt> measured) = Parted<AnswerPrompt>(train, heldOut, recipe.Data.ValidationFraction);
        context.Say($"align: {learned.Count:N0} prompts to learn from, {measured.Count:N0} held out");
        IReadOnlyList<RewardSource> rewards = Rewards([.. learned, .. measured], policy.Rewards);
        Watch = new RewardWatch([.. rewards.Where(r => r.Weight == 0).Select(r => r.Name)], policy.MaxKl);
        ModelBundle? reference = null;
        if (policy.Reference)
            _owned.Add(reference = open());
        Batches = [TokenBatch.Of([.. learned.Take(64).Select(Tokens)])];
        _objective = () =>
        {
            OnPolicyObjective objective = new(
                bundle.Generative, [.. learned.Select(Tokens)], bundle.AnswerEndIds, rewards, reference?.Generative, policy.Options with { BatchTokens = recipe.BatchTokens }, recipe.Training.Precision, Seed,
                [.. measured.Select(Tokens)]);
            _owned.Add(objective);
            return objective;
        };
    }

    private IReadOnlyList<PreferenceExample> Sampled(string[] paths, PreferenceAlignment preference, PairSampling sampling, ulong part)
    {
        List<AnswerPrompt> prompts = Prompts(paths, sampling.MaxNewTokens);
        IReadOnlyList<RewardSource> rewards = Rewards(prompts, preference.Rewards);
        (IReadOnlyList<PreferenceExample> pairs, double mean) = SampledPairs.Make(bundle, prompts, rewards, sampling, Seed + part, context.Cancellation);
        context.Say(string.Create(CultureInfo.InvariantCulture, $"align: {pairs.Count:N0} pairs of the model's own answers to {string.Join(", ", paths.Select(Path.GetFileName))}; their mean reward is {mean:0.000}"));
        return pairs.Count > 0 ? pairs : throw new InvalidDataException("objective.sampling: all answers to a prompt have the same reward; raise answers or temperature, or use another reward.");
    }

    private IReadOnlyList<RewardSource> Rewards(IReadOnlyList<AnswerPrompt> prompts, RewardRecipe[] recipes)
    {
        if (recipes.Length == 0)
            throw new InvalidDataException("objective.rewards: is empty; say what scores answers.");
        IReadOnlyList<RewardSource> rewards = new RewardSetting(prompts, bundle.Tokenizer, context).Make(recipes);
        _owned.AddRange(rewards.OfType<IDisposable>());
        return rewards;
    }

    // Prompts that leave room for an answer.
    private List<AnswerPrompt> Prompts(string[] paths, int newTokens)
    {
        List<AnswerPrompt> prompts = [];
        long tooLong = 0;
        foreach (DataRecord record in context.Files(paths).SelectMany(p => TextFiles.Records(p, recipe.Data.Columns)))
        {
            AnswerPrompt prompt = PreferenceRecords.Prompt(record);
            GenerationRequest request = Request(record, prompt);
            if (request.Prompt.Length + newTokens <= Longest && (request.Source?.Length ?? 0) <= Longest)
                prompts.Add(prompt);
            else
                tooLong++;
        }
        if (tooLong > 0)
            context.Note($"align: {tooLong:N0} prompts of {string.Join(", ", paths.Select(Path.GetFileName))} left out: they leave no room for {newTokens:N0} tokens within {Longest:N0}");
        return prompts.Count > 0 ? prompts : throw new InvalidDataException($"{string.Join(", ", paths)}: no prompt is left; use fewer new tokens, or a model with a longer context.");
    }

    private GenerationRequest Request(DataRecord record, AnswerPrompt prompt)
    {
        try
        {
            return bundle.Answer(new ChatConversation(prompt.Prompt));
        }
        catch (ChatTemplateException e)
        {
            throw record.Wrong(e.Message);
        }
    }

    private int[] Tokens(AnswerPrompt prompt)
    {
        GenerationRequest request = bundle.Answer(new ChatConversation(prompt.Prompt));
        return request.Source ?? request.Prompt;
    }

    private void SayPasses(long batches, int train, int heldOut, string what) => context.Say(string.Create(
        CultureInfo.InvariantCulture,
        $"align: {train:N0} {what} to train on, {heldOut:N0} held out; {(double)batches / recipe.Accumulation:0.#} steps a pass"));
}

/// <summary>Trains a reward model: a body with one number behind the last token.</summary>
internal static class RewardModelTuning
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(AlignRecipe recipe, RewardAlignment reward, RunFolder run, StageContext context)
    {
        if (recipe.KeepStoredType)
            throw new InvalidDataException("keep_stored_type: a reward model is not trained over stored weights; leave it out.");
        if (recipe.Samples.Prompts.Length > 0)
            throw new InvalidDataException("samples: a reward model writes no text; leave the prompts out.");
        ModelLocation location = ModelFolder.Find(recipe.Model, cancel: context.Cancellation);
        if (location.Adapter is not null)
            throw new InvalidDataException($"{recipe.Model}: is an adapter; merge it into its model first: gradus merge {recipe.Model} --to FOLDER");
        ModelConfig config = Checkpoint.ReadConfig(location.Folder);
        Tokenizer tokenizer = DefaultChatTemplate.Ensure(location.OpenTokenizer());
        ulong seed = (ulong)recipe.Training.Seed;
        ExampleLimits limits = new(recipe.MaxLength > 0 ? Math.Min(recipe.MaxLength, config.ContextLength) : config.ContextLength, recipe.BatchTokens);
        SupervisedExamples reader = new(new ChatEncoder(tokenizer, ChatTemplate.Of(tokenizer)!), limits);
        IReadOnlyList<PreferenceExample> train = AlignSetting.Pairs(recipe, recipe.Data.Train, reader, limits, context);
        IReadOnlyList<PreferenceExample> heldOut = recipe.Data.Validation.Length == 0 ? [] : AlignSetting.Pairs(recipe, recipe.Data.Validation, reader, limits, context);
        (train, heldOut) = AlignSetting.Parted(train, heldOut, recipe.Data.ValidationFraction);
        using TaskModel model = Checkpoint.LoadForTask(location.Folder, context.Device, TaskTuning.ArchitectureOf(config, TaskKind.Numbers), LabelSet.OfCount(1, ProblemType.Regression), seed);
        RewardObjective objective = new(
            new RewardLoss(reward.Centering),
            new PreferenceExamples(train, recipe.BatchTokens, seed),
            heldOut.Count == 0 ? null : new PreferenceExamples(heldOut, recipe.BatchTokens, seed),
            recipe.Accumulation);
        using Tuning tuning = recipe.Tuned.Apply(TaskTuning.Target(recipe.Training.Steps, "SEQ_CLS", location, model, tokenizer), seed);
        return new TrainingRunner("align", context, FinetuneStage.WithGroups(recipe.Training, recipe.Tuned), sampler: null).Train(
            model,
            tuning.For(objective),
            run,
            () => RunDescription.Write(run, recipe, recipe.Training.Seed, context.Device),
            folder =>
            {
                tuning.Write(folder);
                tokenizer.Save(folder.TemporaryPath);
            });
    }
}
