using Gradus.Generation;
using Gradus.Text.Chat;

namespace Gradus.Bundle;

/// <summary>The latest exchanges of a conversation, as many as there is room for.</summary>
public static class ConversationWindow
{
    /// <summary>
    /// Leaves out the oldest exchanges, a user's message with all up to the next one, until the conversation fits. A system message at the beginning
    /// stays, and so does the user's last message with what follows it, even where it does not fit.
    /// </summary>
    /// <param name="messages">The conversation; what is left out is removed.</param>
    /// <param name="answer">Makes the request to answer what <paramref name="messages"/> holds.</param>
    /// <param name="fits">Whether there is room for a request.</param>
    /// <returns>The request of what is left.</returns>
    public static GenerationRequest Fit(IList<ChatMessage> messages, Func<GenerationRequest> answer, Func<GenerationRequest, bool> fits)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ArgumentNullException.ThrowIfNull(answer);
        ArgumentNullException.ThrowIfNull(fits);
        int first = messages is [{ Role: "system" or "developer" }, ..] ? 1 : 0;
        int last = messages.Count - 1;
        while (last > first && messages[last].Role != "user")
            last--;
        GenerationRequest request = answer();
        while (first < last && !fits(request))
        {
            do
            {
                messages.RemoveAt(first);
                last--;
            }
            while (first < last && messages[first].Role != "user");
            request = answer();
        }
        return request;
    }
}
