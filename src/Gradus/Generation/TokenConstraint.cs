namespace Gradus.Generation;

/// <summary>
/// Restricts the tokens of one sequence to a structure: a grammar, a schema, a list of choices. Unlike a <see cref="LogitsStep"/> it has
/// a state, which follows the sequence's tokens; each sequence has its own. Called by one thread at a time.
/// </summary>
public abstract class TokenConstraint
{
    /// <summary>
    /// Called while the model computes the scores that <see cref="Mask"/> will be given, perhaps by another thread: time to find out which tokens are
    /// allowed. Does nothing where that is not worth it.
    /// </summary>
    public virtual void Prepare()
    {
    }

    /// <summary>Forbids tokens, by −∞. It leaves at least one until the structure is complete.</summary>
    /// <param name="logits">(V): the model's scores, before any step changes them.</param>
    public abstract void Mask(Span<float> logits);

    /// <summary>Takes in the token that was chosen.</summary>
    /// <param name="token">The token; allowed by the last mask.</param>
    public abstract void Accept(int token);
}
