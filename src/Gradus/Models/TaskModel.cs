using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>A body with the heads of a task: a classifier, a tagger, a masked language model.</summary>
public sealed class TaskModel : LanguageModel
{
    /// <summary>Puts heads on a body.</summary>
    /// <param name="body">The body; from the same scope as the heads.</param>
    /// <param name="scope">The root of the model.</param>
    /// <param name="heads">At least one; BERT's pre-training has two.</param>
    public TaskModel(LanguageModel body, Scope scope, params IReadOnlyList<TaskHead> heads)
        : base(Checked(body).Config, scope)
    {
        ArgumentNullException.ThrowIfNull(heads);
        ArgumentOutOfRangeException.ThrowIfZero(heads.Count, nameof(heads));
        Body = body;
        Heads = heads;
    }

    /// <summary>What the heads stand on.</summary>
    public LanguageModel Body { get; }

    /// <summary>The heads, in the order of the targets that <see cref="Loss"/> takes.</summary>
    public IReadOnlyList<TaskHead> Heads { get; }

    /// <summary>The first head; most models have no other.</summary>
    public TaskHead Head => Heads[0];

    /// <inheritdoc/>
    public override Tensor Hidden(Pass pass) => Body.Hidden(pass);

    /// <summary>The first head's scores.</summary>
    public Tensor Scores(Pass pass) => Head.Scores(Body.Hidden(pass), pass);

    /// <summary>The task's loss: the mean over the targets that count, summed over the heads; one value.</summary>
    /// <param name="pass">The pass over the tokens.</param>
    /// <param name="targets">For each head, what its <see cref="TaskHead.Losses"/> takes.</param>
    /// <exception cref="ArgumentException">A head has no targets, or none that counts.</exception>
    public Tensor Loss(Pass pass, params ReadOnlySpan<Tensor> targets)
    {
        if (targets.Length != Heads.Count)
            throw new ArgumentException($"The {Config.Architecture} has {Heads.Count} heads, but {targets.Length} tensors of targets were given.", nameof(targets));
        Tensor hidden = Body.Hidden(pass);
        Tensor? loss = null;
        for (int i = 0; i < targets.Length; i++)
        {
            Tensor losses = Heads[i].Losses(hidden, targets[i], pass);
            if (losses.Count == 0)
                throw new ArgumentException($"None of the {targets[i].Count} targets of head {i} counts (all are negative); leave the batch out.", nameof(targets));
            Tensor mean = losses.Mean();
            loss = loss?.Add(mean) ?? mean;
        }
        return loss!;
    }

    private static LanguageModel Checked(LanguageModel body)
    {
        ArgumentNullException.ThrowIfNull(body);
        return body;
    }
}
