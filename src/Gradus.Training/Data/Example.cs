namespace Gradus.Training.Data;

/// <summary>A tokenized document, or a prompt with its answer.</summary>
/// <param name="Ids">All tokens.</param>
/// <param name="LossStart">The first token whose prediction counts: 1 for a document, where the answer begins for a prompt.</param>
public sealed record Example(int[] Ids, int LossStart = 1);
