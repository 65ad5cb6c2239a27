using System.ComponentModel.DataAnnotations;

namespace Gradus.Training.Compression.Distillation;

/// <summary>Who writes the texts that a student learns from.</summary>
public enum TextAuthor
{
    /// <summary>They are those of the data.</summary>
    Data,

    /// <summary>The teacher goes on from the beginnings of the data's texts, and the student learns to write the same (Kim and Rush, "Sequence-Level Knowledge Distillation", 2016).</summary>
    Teacher,

    /// <summary>The student does, and the teacher says how it should have gone on (GKD, MiniLLM).</summary>
    Student,
}

/// <summary>What a student learns from its teacher.</summary>
/// <param name="Divergence">Which divergence from the teacher's next-token probabilities is made small.</param>
/// <param name="Temperature">Both models' logits are divided by it; the loss is multiplied by its square.</param>
/// <param name="Mix">β of jensen_shannon, λ of the skewed divergences.</param>
/// <param name="TeacherWeight">The share of the divergence in the loss; the rest is −log p of the text itself.</param>
/// <param name="HiddenWeight">Adds this times the mean squared difference of the last hidden states, in parts of the teacher's mean square; models of one width only.</param>
/// <param name="Author">Who writes the texts.</param>
/// <param name="WrittenShare">The share of micro-batches that are written by teacher or student; the others are those of the data.</param>
/// <param name="PromptTokens">Tokens of a text of documents that are given as its beginning; of conversations all before the first answer is.</param>
/// <param name="NewTokens">The most tokens that are written.</param>
/// <param name="WritingTemperature">The temperature at which they are drawn.</param>
public sealed record DistillationOptions(
    DivergenceKind Divergence = DivergenceKind.Forward,
    [Range(0.01, 100)] double Temperature = 1,
    [Range(0.0, 1.0, MinimumIsExclusive = true, MaximumIsExclusive = true)] double Mix = 0.5,
    [Range(0.0, 1.0)] double TeacherWeight = 1,
    [Range(0, double.PositiveInfinity)] double HiddenWeight = 0,
    TextAuthor Author = TextAuthor.Data,
    [Range(0.0, 1.0)] double WrittenShare = 1,
    [Range(1, int.MaxValue)] int PromptTokens = 16,
    [Range(1, int.MaxValue)] int NewTokens = 64,
    [Range(0.01, 100)] float WritingTemperature = 1);
