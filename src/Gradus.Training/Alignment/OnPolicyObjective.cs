// PPO, REINFORCE, RLOO, GRPO and their relatives are one loop: sample answers, score them, estimate advantages, update some times. It is the
// same for decoders and for models with an encoder. Answers are sampled without filters, whose probabilities the loss would not know; log π of
// sampling is computed by the forward pass of training, so that the first ratio is exactly 1. Left out: rollouts by other processes, replay.

using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Data;
using Gradus.Training.Objectives;

namespace Gradus.Training.Alignment;

/// <summary>A policy that learns from rewards of the answers it writes. Dropout is off.</summary>
public sealed class OnPolicyObjective : Objective, IDisposable
{
    private readonly OnPolicyOptions _options;
    private readonly GenerativeModel _policy;
    private readonly IReadOnlyList<int[]> _prompts;
    private readonly IReadOnlyList<int[]> _heldOut;
    private readonly ulong _seed;
    private readonly IReadOnlyList<int> _stopTokens;
    private readonly IReadOnlyList<RewardSource> _rewards;
    private readonly GenerativeModel? _reference;
    private readonly PassOrder _order;
    private readonly Workspace _store;
    private readonly Workspace _scoring;
    private readonly Parameter? _valueWeight;
    private readonly Parameter? _valueBias;
    private double _klCoefficient;

    /// <summary>Prepares to train a policy.</summary>
    /// <param name="policy">The model to train.</param>
    /// <param name="prompts">The prompts' tokens; of a model with an encoder, what it reads.</param>
    /// <param name="stopTokens">Tokens that end an answer.</param>
    /// <param name="rewards">What scores answers; their weighted sum is the score.</param>
    /// <param name="reference">A frozen copy of the model that training starts from; needed where the divergence from it counts.</param>
    /// <param name="options">How.</param>
    /// <param name="precision">The precision of training.</param>
    /// <param name="seed">The order of the prompts.</param>
    /// <param name="heldOut">Prompts whose answers are only measured; their numbers follow those of <paramref name="prompts"/>. Null for none.</param>
    /// <exception cref="InvalidDataException">There are no prompts or rewards, a group is too small, or the reference is missing.</exception>
    public OnPolicyObjective(
        GenerativeModel policy,
        IReadOnlyList<int[]> prompts,
        IReadOnlyList<int> stopTokens,
        IReadOnlyList<RewardSource> rewards,
        GenerativeModel? reference,
        OnPolicyOptions options,
        Precision precision,
        ulong seed,
        IReadOnlyList<int[]>? heldOut = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(rewards);
        ArgumentNullException.ThrowIfNull(options);
        if (rewards.Select(r => r.Name).Distinct(StringComparer.Ordinal).Count() < rewards.Count)
            throw new InvalidDataException("rewards: two have the same name; give each its own.");
        if (rewards.All(r => r.Weight == 0))
            throw new InvalidDataException("rewards: none counts; give at least one with a weight.");
        if (options.GroupSize < options.Advantage.LeastGroupSize)
            throw new InvalidDataException($"group_size: this advantage compares answers to the same prompt, at least {options.Advantage.LeastGroupSize}, but there is {options.GroupSize}.");
        if (reference is null && (options.Kl.Initial > 0 || options.Loss.KlCoefficient > 0))
            throw new InvalidDataException("kl: the divergence from a reference counts, but there is no reference.");
        int context = policy.Config.ContextLength;
        (_policy, _heldOut, _seed) = (policy, heldOut ?? [], seed);
        if (prompts.Concat(_heldOut).Any(p => p.Length == 0 || p.Length + (policy is EncoderDecoderModel ? 0 : 1) > context))
            throw new InvalidDataException($"prompts: one is empty or leaves no room for an answer in the {context} tokens that the model takes; leave it out.");
        (_options, _prompts, _stopTokens, _rewards, _reference) = (options, prompts, stopTokens, rewards, reference);
        _order = new PassOrder([.. prompts.Select(_ => 1)], options.Prompts, seed);
        _klCoefficient = options.Kl.Initial;
        _store = new Workspace(policy.Device);
        _scoring = policy.Parts.Store.NewScratch(precision);
        if (options.Advantage.UsesCritic)
        {
            int width = policy.Head.Weight.Inputs;
            _valueWeight = new Parameter("critic.weight", _store.Zeros(new Shape(1, width))) { Trainable = true };
            _valueBias = new Parameter("critic.bias", _store.Zeros(new Shape(1))) { Trainable = true };
        }
        Terms = HasCritic ? [new("policy"), new("critic", options.ValueCoefficient)] : [new("policy")];
    }

    /// <inheritdoc/>
    public override IReadOnlyList<LossTerm> Terms { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<Parameter> Parameters => HasCritic ? [_valueWeight!, _valueBias!] : [];

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, double> State => new Dictionary<string, double> { ["kl_coefficient"] = _klCoefficient };

    private bool HasCritic => _valueWeight is not null;

    /// <inheritdoc/>
    public override void Restore(IReadOnlyDictionary<string, double> state)
    {
        base.Restore(state);
        _klCoefficient = state["kl_coefficient"];
    }

    /// <inheritdoc/>
    public override IEnumerable<TrainingBatch> Validation()
    {
        if (_heldOut.Count == 0)
            yield break;
        List<Rollout> rollouts = Sample(_policy, [.. Enumerable.Range(_prompts.Count, _heldOut.Count)], 1, CounterRandom.Derive(_seed, "held out"));
        foreach (RolloutBatch batch in Cut([.. rollouts], isFirst: false))
        {
            Score(_policy, batch, (r, losses, values) => r.Sampled = losses);
            if (_reference is not null)
                Score(_reference, batch, (r, losses, _) => r.Reference = losses, isPolicy: false);
        }
        Reward(rollouts);
        foreach (RolloutBatch batch in Cut([.. rollouts], isFirst: false))
            yield return new RolloutBatch(batch.Rollouts, batch.Rollouts.Count, false, HasCritic) { IsHeldOut = true };
    }

    /// <inheritdoc/>
    public override IEnumerable<Update> Updates(StepContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (context.Model is not GenerativeModel policy)
            throw new NotSupportedException("Only a model that writes can learn from its answers.");
        IReadOnlyList<Rollout> all = Sample(policy, _order[context.Step], _options.GroupSize, CounterRandom.Derive(context.Key, "rollouts"));
        Judge(policy, all, context);
        Rollout[] learned = _options.MaskUnended && all.Any(r => r.Ended) ? [.. all.Where(r => r.Ended)] : [.. all];
        for (int epoch = 0; epoch < _options.Epochs; epoch++)
        {
            // The first epoch's order is that of the prompts, so that groups stay together while they are on-policy.
            ulong key = CounterRandom.Derive(CounterRandom.Derive(context.Key, "epoch"), (ulong)epoch);
            Rollout[] order = epoch == 0 ? learned : [.. learned.Select((r, i) => (r, CounterRandom.Bits64(key, i))).OrderBy(x => x.Item2).Select(x => x.r)];
            for (int m = 0; m < _options.MiniBatches; m++)
            {
                Rollout[] part = order[(order.Length * m / _options.MiniBatches)..(order.Length * (m + 1) / _options.MiniBatches)];
                if (part.Length == 0)
                    continue;
                // All ranks sample everything and share the micro-batches; the same bits make the same answers.
                RolloutBatch[] batches = Cut(part, isFirst: epoch == 0 && m == 0);
                (int first, int count) = context.Ranks.Share(batches.Length);
                yield return new Update(batches[first..(first + count)], first);
            }
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Tensor> Losses(LanguageModel model, TrainingBatch batch, LossContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        RolloutBatch rollouts = (RolloutBatch)batch;
        if (rollouts.IsHeldOut)
            return Measure(rollouts, context);
        (Tensor losses, Tensor? values) = Forward((GenerativeModel)model, rollouts, context.Pass(rollouts.Tokens(), dropout: false));
        double[] policy = [.. losses.ToArray().Select(l => -(double)l)], slopes = new double[policy.Length];
        double sum = 0, kl = 0, low = 0, high = 0;
        int at = 0;
        foreach (Rollout r in rollouts.Rollouts)
        {
            int n = r.Answer.Length;
            ReadOnlySpan<double> now = policy.AsSpan(at, n);
            if (rollouts.IsFirst && context.Training && !now.SequenceEqual(r.Sampled))
                throw new InvalidOperationException("Before the first update the policy gives its answers other probabilities than when it sampled them; sampling and training do not agree.");
            TokenLosses given = _options.Loss.Of(now, r.Sampled, _options.Loss.KlCoefficient > 0 ? r.Reference : [], [.. r.Advantages], r.Counts);
            double weight = _options.Loss.Aggregation switch
            {
                LossAggregation.Sequence => 1.0 / n,
                LossAggregation.ConstantLength => 1.0 / _options.MaxNewTokens,
                LossAggregation.MicroBatch => 1.0 / rollouts.AnswerTokens,
                _ => 1,
            };
            sum += weight * given.Losses.Sum();
            // −log π is the loss of a token.
            for (int t = 0; t < n; t++)
                slopes[at + t] = -weight * (given.Slopes[t] + given.Shared[t]);
            (kl, low, high, at) = (kl + given.Kl, low + given.LowClipped, high + given.HighClipped, at + n);
        }
        context.Report("clip/low", low, rollouts.AnswerTokens);
        context.Report("clip/high", high, rollouts.AnswerTokens);
        Tensor loss = HostLoss.Record(losses, sum, slopes);
        return HasCritic ? [loss, CriticLoss(values!, rollouts)] : [loss];
    }

    // The loss on held-out prompts is minus the reward of the answers.
    private Tensor[] Measure(RolloutBatch rollouts, LossContext context)
    {
        double sum = 0;
        foreach (Rollout r in rollouts.Rollouts)
        {
            double score = _rewards.Sum(w => w.Weight * r.Rewards[w.Name]);
            sum += score;
            context.Report("reward", score);
            foreach (RewardSource reward in _rewards)
                context.Report($"reward/{reward.Name}", r.Rewards[reward.Name]);
            context.Report("length", r.Answer.Length);
            context.Report("end_rate", r.Ended ? 1 : 0);
            if (_reference is not null)
                context.Report("kl", r.Divergence(KlEstimator.K1));
        }
        Tensor loss = context.Workspace.From([(float)-sum], default);
        return HasCritic ? [loss, context.Workspace.Zeros(default)] : [loss];
    }

    /// <summary>Frees the critic and the memory of scoring; not the models.</summary>
    public void Dispose()
    {
        _scoring.Dispose();
        _store.Dispose();
    }

    private Tensor CriticLoss(Tensor values, RolloutBatch rollouts)
    {
        float[] now = values.ToArray();
        double[] slopes = new double[now.Length];
        double sum = 0;
        int at = 0;
        foreach (Rollout r in rollouts.Rollouts)
        {
            for (int t = 0; t < r.Answer.Length; t++, at++)
            {
                (double loss, double slope) = PolicyLoss.Value(now[at], r.Values[t], r.Returns[t], _options.ValueClip);
                (sum, slopes[at]) = (sum + loss, slope);
            }
        }
        return HostLoss.Record(values, sum, slopes);
    }

    // −log π of every token of the answers, and the critic's values before them.
    private (Tensor Losses, Tensor? Values) Forward(GenerativeModel model, RolloutBatch rollouts, Pass pass, bool withCritic = true)
    {
        (int[] rows, int[] targets) = rollouts.Predictions();
        Tensor hidden = model.Hidden(pass).Gather(pass.Workspace.From(rows));
        Tensor logits = model.Logits(hidden, pass);
        if (_options.Temperature != 1)
            logits = logits.Scale(1 / _options.Temperature);
        return (logits.CrossEntropy(pass.Workspace.From(targets)), withCritic && HasCritic ? hidden.Linear(_valueWeight!.Value, _valueBias!.Value) : null);
    }

    private List<Rollout> Sample(GenerativeModel policy, IReadOnlyList<int> chosen, int groupSize, ulong key)
    {
        using Generator generator = new(policy);
        LogitsStep[] steps = _options.Temperature == 1 ? [] : [new Temperature(_options.Temperature)];
        List<GenerationRequest> requests = [];
        foreach (int prompt in chosen)
        {
            int[] tokens = prompt < _prompts.Count ? _prompts[prompt] : _heldOut[prompt - _prompts.Count];
            for (int g = 0; g < groupSize; g++)
            {
                requests.Add(GenerationRequest.For(policy, tokens) with
                {
                    Steps = steps,
                    Seed = CounterRandom.Derive(key, (ulong)requests.Count),
                    MaxNewTokens = _options.MaxNewTokens,
                    StopTokens = _stopTokens,
                });
            }
        }
        IReadOnlyList<GeneratedSequence> written = generator.Run(requests);
        List<Rollout> rollouts = [];
        for (int i = 0; i < written.Count; i++)
        {
            rollouts.Add(new Rollout(requests[i].Prompt, [.. written[i].Generated], written[i].Finish == FinishReason.StopToken)
            {
                Source = requests[i].Source,
                PromptNumber = chosen[i / groupSize],
            });
        }
        return rollouts;
    }

    // log π, log π_ref and values of all answers, their scores, and from these the advantages.
    private void Judge(GenerativeModel policy, IReadOnlyList<Rollout> rollouts, StepContext context)
    {
        foreach (RolloutBatch batch in Cut([.. rollouts], isFirst: false))
        {
            Score(policy, batch, (r, losses, values) => (r.Sampled, r.Values) = (losses, values));
            if (_reference is not null)
                Score(_reference, batch, (r, losses, _) => r.Reference = losses, isPolicy: false);
        }
        double[] scores = Reward(rollouts);
        foreach (RewardSource reward in _rewards)
            context.Report($"reward/{reward.Name}", rollouts.Sum(r => r.Rewards[reward.Name]), rollouts.Count);
        for (int i = 0; i < scores.Length; i++)
            scores[i] -= rollouts[i].Ended ? 0 : _options.MissingEndPenalty;
        IReadOnlyList<double>[] tokens = [.. rollouts.Select((r, i) => TokenRewards(r, scores[i]))];
        // Estimators that see whole answers see their divergence in the score.
        double[] whole = [.. tokens.Select(t => t.Sum())];
        Advantages advantages = _options.Advantage.Estimate(new ScoredAnswers(whole, _options.GroupSize, tokens, HasCritic ? [.. rollouts.Select(r => (IReadOnlyList<double>)r.Values)] : null));
        bool[] counts = _options.Loss.TopEntropyShare < 1 ? _options.Loss.HighestEntropy([.. rollouts.SelectMany(r => r.Entropies)]) : [];
        int at = 0;
        for (int i = 0; i < rollouts.Count; i++)
        {
            rollouts[i].Advantages = advantages.Tokens[i];
            rollouts[i].Returns = advantages.Returns?[i] ?? [];
            if (counts.Length > 0)
                rollouts[i].Counts = counts[at..(at += rollouts[i].Answer.Length)];
        }
        Report(context, rollouts, scores);
    }

    // What each reward gives every answer, and their weighted sums.
    private double[] Reward(IReadOnlyList<Rollout> rollouts)
    {
        double[] scores = new double[rollouts.Count];
        foreach (RewardSource reward in _rewards)
        {
            IReadOnlyList<double> given = reward.Score(rollouts);
            for (int i = 0; i < scores.Length; i++)
            {
                rollouts[i].Rewards[reward.Name] = given[i];
                scores[i] += reward.Weight * given[i];
            }
        }
        return scores;
    }

    private double[] TokenRewards(Rollout rollout, double score)
    {
        double[] rewards = new double[rollout.Answer.Length];
        if (rollout.Reference.Length > 0)
        {
            for (int t = 0; t < rewards.Length; t++)
                rewards[t] = -_klCoefficient * PolicyLoss.Kl(_options.RewardKl, rollout.Sampled[t], rollout.Reference[t]);
        }
        rewards[^1] += score;
        return rewards;
    }

    private void Score(GenerativeModel model, RolloutBatch batch, Action<Rollout, double[], double[]> take, bool isPolicy = true)
    {
        (Tensor losses, Tensor? values) = Forward(model, batch, new Pass(batch.Tokens(), _scoring), withCritic: isPolicy);
        double[] each = [.. losses.ToArray().Select(l => -(double)l)], value = values is null ? [] : [.. values.ToArray().Select(v => (double)v)];
        if (isPolicy && _options.Loss.TopEntropyShare < 1)
            TakeEntropies(model, batch);
        int at = 0;
        foreach (Rollout r in batch.Rollouts)
        {
            int end = at + r.Answer.Length;
            take(r, each[at..end], value.Length == 0 ? [] : value[at..end]);
            at = end;
        }
        _scoring.Reset();
    }

    private void TakeEntropies(GenerativeModel model, RolloutBatch batch)
    {
        Pass pass = new(batch.Tokens(), _scoring);
        Tensor logits = model.Logits(model.Hidden(pass).Gather(_scoring.From(batch.Predictions().Rows)), pass).Scale(1 / _options.Temperature).LogSoftmax();
        int columns = logits.Shape.Columns, row = 0;
        ReadOnlySpan<float> values = logits.Values();
        foreach (Rollout r in batch.Rollouts)
        {
            r.Entropies = new double[r.Answer.Length];
            for (int t = 0; t < r.Entropies.Length; t++, row++)
            {
                foreach (float log in values.Slice(row * columns, columns))
                    r.Entropies[t] -= Math.Exp(log) * log;
            }
        }
    }

    private RolloutBatch[] Cut(Rollout[] rollouts, bool isFirst)
    {
        List<RolloutBatch> batches = [];
        int start = 0, filled = 0;
        for (int i = 0; i <= rollouts.Length; i++)
        {
            if (i == rollouts.Length || (filled > 0 && filled + rollouts[i].TotalTokens > _options.BatchTokens))
            {
                Rollout[] part = rollouts[start..i];
                double weight = _options.Loss.Aggregation switch
                {
                    LossAggregation.Token => part.Sum(r => r.Answer.Length),
                    LossAggregation.MicroBatch => 1,
                    _ => part.Length,
                };
                batches.Add(new RolloutBatch(part, weight, isFirst, HasCritic));
                (start, filled) = (i, 0);
            }
            filled += i < rollouts.Length ? rollouts[i].TotalTokens : 0;
        }
        return [.. batches];
    }

    private void Report(StepContext context, IReadOnlyList<Rollout> rollouts, double[] scores)
    {
        RolloutFigures.Report(context, rollouts, scores, _options.GroupSize, HasCritic);
        if (_reference is null)
            return;
        double kl = rollouts.Sum(r => r.Divergence(KlEstimator.K1));
        context.Report("kl", kl, rollouts.Count);
        context.Report("kl/k3", rollouts.Sum(r => r.Divergence(KlEstimator.K3)), rollouts.Count);
        context.Report("kl/coefficient", _klCoefficient);
        _klCoefficient = _options.Kl.Next(_klCoefficient, kl / rollouts.Count, rollouts.Count);
    }
}
