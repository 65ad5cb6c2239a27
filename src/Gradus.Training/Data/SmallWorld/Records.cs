namespace Gradus.Training.Data.SmallWorld;

/// <summary>A two-person dialogue with its one canonical summary.</summary>
/// <param name="Dialogue">Four to ten turns, one "Name: text" a line, lines separated by '\n'.</param>
/// <param name="Summary">One or two sentences in the third person and the present tense, the only summary of this plot and these facts.</param>
/// <param name="Plot">What happens: family and outcome, such as "bring/late".</param>
/// <param name="Facts">What the summary says and the dialogue mentions: A and B (the first and the second speaker), and those of
/// C (a third person), color, noun, place, place2, day, day2, hour, event, goods, goods2, pet, kin, number, weather, cause, skill,
/// reason, chore and activity that the plot has.</param>
public sealed record DialogueSummary(string Dialogue, string Summary, string Plot, IReadOnlyDictionary<string, string> Facts);

/// <summary>One instruction-tuning example about a story, in the alpaca fields.</summary>
/// <param name="Instruction">The question or the task.</param>
/// <param name="Input">The story it is about, or the empty string.</param>
/// <param name="Output">The right answer.</param>
public sealed record InstructionExample(string Instruction, string Input, string Output);
