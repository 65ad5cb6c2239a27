using Gradus.Bundle;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Text;
using Gradus.Text.Chat;
using Gradus.Training.Data;

namespace Gradus.Training.Alignment;

/// <summary>
/// A reward model or a classifier as a reward. It reads prompt and answer as its own template writes them, or, where it has none, the answer alone
/// (a judge of texts).
/// </summary>
public sealed class ModelReward : RewardSource, IDisposable
{
    private const int BatchTokens = 4096;
    private readonly ModelBundle _judge;
    private readonly TaskModel _model;
    private readonly int _column;
    private readonly bool _isProbability;
    private readonly IReadOnlyList<AnswerPrompt> _prompts;
    private readonly Tokenizer _policy;

    /// <summary>Makes a reward of a model.</summary>
    /// <param name="name">Its name in the log.</param>
    /// <param name="weight">What it counts in the sum.</param>
    /// <param name="judge">The model; freed with this.</param>
    /// <param name="label">The class whose probability is the score; null for a model of one label, whose number is it.</param>
    /// <param name="prompts">The prompts by their number in the data.</param>
    /// <param name="policy">The policy's tokenizer.</param>
    /// <exception cref="InvalidDataException">The model judges no sequences, or has no such class.</exception>
    public ModelReward(string name, double weight, ModelBundle judge, string? label, IReadOnlyList<AnswerPrompt> prompts, Tokenizer policy)
        : base(name, weight)
    {
        ArgumentNullException.ThrowIfNull(judge);
        (_judge, _prompts, _policy) = (judge, prompts, policy);
        _model = judge.Model is TaskModel { Head: SequenceHead } task
            ? task
            : throw new InvalidDataException($"{judge.Location.Folder}: is no model that judges whole texts; train one with an objective of the kind reward, or a classifier.");
        LabelSet labels = _model.Config.Labels;
        _isProbability = labels.Count > 1;
        _column = label is null ? 0 : labels.Names.ToList().IndexOf(label);
        if (_isProbability && label is null || _column < 0)
            throw new InvalidDataException($"{judge.Location.Folder}: label: name the class whose probability is the reward: {string.Join(", ", labels.Names)}.");
    }

    /// <inheritdoc/>
    public override IReadOnlyList<double> Score(IReadOnlyList<Rollout> rollouts)
    {
        ArgumentNullException.ThrowIfNull(rollouts);
        int[][] texts = [.. rollouts.Select(Encode)];
        double[] scores = new double[texts.Length];
        using Workspace w = _model.Parts.Store.NewScratch();
        for (int start = 0; start < texts.Length;)
        {
            int end = start, tokens = 0;
            while (end < texts.Length && (end == start || tokens + texts[end].Length <= BatchTokens))
                tokens += texts[end++].Length;
            Tensor given = _model.Scores(new Pass(TokenBatch.Of(texts[start..end]), w));
            ReadOnlySpan<float> values = (_isProbability ? given.LogSoftmax() : given).Values();
            int columns = given.Shape.Columns;
            for (int i = start; i < end; i++)
                scores[i] = _isProbability ? Math.Exp(values[((i - start) * columns) + _column]) : values[((i - start) * columns) + _column];
            w.Reset();
            start = end;
        }
        return scores;
    }

    /// <summary>Frees the model.</summary>
    public void Dispose() => _judge.Dispose();

    private int[] Encode(Rollout rollout)
    {
        string answer = _policy.Decode(rollout.Answer, skipSpecialTokens: true).Trim();
        int[] ids = _judge.Template is null
            ? _judge.Tokenizer.Encode(answer.Length == 0 ? " " : answer)
            : _judge.Chat.EncodeWithAssistant(new ChatConversation([.. _prompts[rollout.PromptNumber].Prompt, new ChatMessage("assistant", answer)])).Ids;
        // What is too long loses its beginning; the end is what is judged.
        return ids.Length <= _judge.ContextLength ? ids : ids[^_judge.ContextLength..];
    }
}
