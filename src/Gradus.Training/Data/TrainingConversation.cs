using Gradus.Text.Chat;

namespace Gradus.Training.Data;

/// <summary>A conversation to learn from.</summary>
/// <param name="Conversation">The messages and tools.</param>
/// <param name="Trained">For every message whether it is learned; only the assistant's can be.</param>
/// <param name="HasTools">Whether the conversation lists tools.</param>
/// <param name="Unread">Fields of the record and of its turns that nothing reads, for a report.</param>
public sealed record TrainingConversation(ChatConversation Conversation, IReadOnlyList<bool> Trained, bool HasTools, IReadOnlyList<string> Unread)
{
    /// <summary>Whether an answer is empty; it is read and not learned.</summary>
    public bool HasEmptyAnswer { get; init; }
}
