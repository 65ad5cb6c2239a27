namespace Gradus.Applications.Python;

/// <summary>A part of a program that has a value.</summary>
internal abstract class Expression(Position at)
{
    public Position At { get; } = at;

    public abstract Value Evaluate(Frame f);

    /// <summary>Gives the target a value, where it is one.</summary>
    public virtual void Assign(Frame f, Value value) => throw new PythonSyntaxException("cannot assign to this expression", At);

    /// <summary>Removes the target.</summary>
    public virtual void Delete(Frame f) => throw new PythonSyntaxException("cannot delete this expression", At);
}

internal sealed class Constant(Value value, Position at) : Expression(at)
{
    public Value Value { get; } = value;

    public override Value Evaluate(Frame f) => Value;
}

internal sealed class NameExpression(string name, Position at) : Expression(at)
{
    private NameKind _kind;
    private int _slot;

    public string Name { get; } = name;

    public Symbol? Symbol { get; set; }

    public int FreeIndex { get; set; } = -1;

    public bool InClass { get; set; }

    public GlobalCell? Global { get; set; }

    /// <summary>The slot of a variable of this frame that no other function uses, or −1.</summary>
    public int LocalSlot => _kind == NameKind.Local ? _slot : -1;

    public void Settle()
    {
        _kind = InClass ? NameKind.Class : Symbol is null ? NameKind.Global : FreeIndex >= 0 ? NameKind.Free : Symbol.Captured ? NameKind.Cell : NameKind.Local;
        _slot = _kind == NameKind.Free ? FreeIndex : Symbol?.Slot ?? 0;
    }

    public override Value Evaluate(Frame f)
    {
        if (_kind == NameKind.Local)
        {
            Value local = f.Slots[_slot];
            return local.IsUnbound ? throw Unbound(f) : local;
        }
        Value value = _kind switch
        {
            NameKind.Global => FromModule(),
            NameKind.Cell => ((Cell)f.Slots[_slot].Ref!).Value,
            NameKind.Free => f.Free[_slot].Value,
            _ => f.ClassNames!.TryGetValue(Name, out Value found) ? found : Outside(f),
        };
        return value.IsUnbound ? throw Unbound(f) : value;
    }

    private Value FromModule()
    {
        Value value = Global!.Value;
        return value.IsUnbound ? Global.Builtin : value;
    }

    private Value Outside(Frame f) => Symbol is null ? FromModule() : FreeIndex >= 0 ? f.Free[FreeIndex].Value : f.Slots[Symbol.Slot].Ref is Cell cell ? cell.Value : f.Slots[Symbol.Slot];

    private PyError Unbound(Frame f)
    {
        f.At = At;
        return Symbol is null || InClass ? Errors.Name(Name) : Errors.Make("UnboundLocalError", $"cannot access local variable '{Name}' where it is not associated with a value");
    }

    public override void Assign(Frame f, Value value)
    {
        switch (_kind)
        {
            case NameKind.Local: f.Slots[_slot] = value; break;
            case NameKind.Global: Global!.Value = value; break;
            case NameKind.Cell: ((Cell)f.Slots[_slot].Ref!).Value = value; break;
            case NameKind.Free: f.Free[_slot].Value = value; break;
            default: f.ClassNames![Name] = value; break;
        }
    }

    public override void Delete(Frame f)
    {
        Evaluate(f);
        if (_kind == NameKind.Class)
            f.ClassNames!.Remove(Name);
        else
            Assign(f, default);
    }
}

internal sealed class TupleExpression(Expression[] items, Position at) : Expression(at)
{
    public Expression[] Items { get; } = items;

    public override Value Evaluate(Frame f) => Value.Of(new TupleObject(Display.Values(Items, f)));

    public override void Assign(Frame f, Value value) => Display.Unpack(f, Items, value, At);

    public override void Delete(Frame f) => Array.ForEach(Items, i => i.Delete(f));
}

internal sealed class ListExpression(Expression[] items, Position at) : Expression(at)
{
    public Expression[] Items { get; } = items;

    public override Value Evaluate(Frame f) => Value.Of(new ListObject(Display.Values(Items, f)));

    public override void Assign(Frame f, Value value) => Display.Unpack(f, Items, value, At);
}

internal sealed class StarExpression(Expression inner, Position at) : Expression(at)
{
    public Expression Inner { get; } = inner;

    public override Value Evaluate(Frame f) => throw new PythonSyntaxException("can't use starred expression here", At);

    public override void Assign(Frame f, Value value) => Inner.Assign(f, value);
}

internal sealed class SetExpression(Expression[] items, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        SetObject set = new();
        foreach (Value value in Display.Values(items, f))
            set.Table.Add(value);
        return Value.Of(set);
    }
}

/// <summary>{key: value, **others}; a null key stands for **.</summary>
internal sealed class DictExpression((Expression? Key, Expression Value)[] items, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        DictObject dict = new();
        foreach ((Expression? key, Expression value) in items)
        {
            if (key is null)
                Operations.UpdateDict(f.It, dict.Table, value.Evaluate(f));
            else
                dict.Table.Set(key.Evaluate(f), value.Evaluate(f));
        }
        return Value.Of(dict);
    }
}

/// <summary>What tuples, lists and sets have in common.</summary>
internal static class Display
{
    public static Value[] Values(Expression[] items, Frame f)
    {
        if (!Array.Exists(items, i => i is StarExpression))
        {
            Value[] values = new Value[items.Length];
            for (int i = 0; i < items.Length; i++)
                values[i] = items[i].Evaluate(f);
            return values;
        }
        ListObject all = new();
        foreach (Expression item in items)
        {
            if (item is StarExpression star)
                all.AddRange(Operations.ToArray(f.It, star.Inner.Evaluate(f)));
            else
                all.Add(item.Evaluate(f));
        }
        return all.ToArray();
    }

    /// <summary>Gives the parts of a value to targets, one of which may be starred.</summary>
    public static void Unpack(Frame f, Expression[] targets, Value value, Position at)
    {
        Value[] values = value.Ref is TupleObject tuple ? tuple.Items : value.Ref is InstanceObject or GeneratorObject && !Array.Exists(targets, t => t is StarExpression)
            ? FirstOf(f, value, targets.Length) : Operations.ToArray(f.It, value);
        int star = Array.FindIndex(targets, t => t is StarExpression);
        int least = targets.Length - (star < 0 ? 0 : 1);
        if (values.Length < least || (star < 0 && values.Length > least))
        {
            f.At = at;
            throw Errors.Value(values.Length < least ? $"not enough values to unpack (expected {(star < 0 ? "" : "at least ")}{least}, got {values.Length})" : $"too many values to unpack (expected {least})");
        }
        for (int i = 0; i < targets.Length; i++)
        {
            int after = targets.Length - 1 - i;
            if (i == star)
                targets[i].Assign(f, Value.Of(new ListObject(values[i..(values.Length - after)])));
            else
                targets[i].Assign(f, star >= 0 && i > star ? values[values.Length - 1 - after] : values[i]);
        }
    }

    private static Value[] FirstOf(Frame f, Value value, int count)
    {
        List<Value> first = [];
        IIterator iterator = Operations.Iterate(f.It, value);
        while (first.Count <= count && iterator.Next(out Value next))
            first.Add(next);
        return [.. first];
    }
}

internal sealed class AttributeExpression(Expression target, string name, Position at) : Expression(at)
{
    public Expression Target { get; } = target;

    public string Name { get; } = name;

    public override Value Evaluate(Frame f)
    {
        Value value = Target.Evaluate(f);
        f.At = At;
        return Attributes.Get(f.It, value, Name);
    }

    public override void Assign(Frame f, Value value)
    {
        Value target = Target.Evaluate(f);
        f.At = At;
        Attributes.Set(f.It, target, Name, value);
    }

    public override void Delete(Frame f) => Attributes.Delete(f.It, Target.Evaluate(f), Name);
}

internal sealed class SubscriptExpression(Expression target, Expression index, Position at) : Expression(at)
{
    public Expression Target { get; } = target;

    public Expression Index { get; } = index;

    public override Value Evaluate(Frame f)
    {
        Value value = Target.Evaluate(f), key = Index.Evaluate(f);
        if (key.IsSmall && value.Ref is ListObject list)
        {
            long i = key.Bits;
            if (i < 0)
                i += list.Count;
            if ((ulong)i < (ulong)list.Count)
                return list.Items[i];
        }
        f.At = At;
        return Operations.GetItem(f.It, value, key);
    }

    public override void Assign(Frame f, Value value)
    {
        Value target = Target.Evaluate(f), key = Index.Evaluate(f);
        f.At = At;
        Operations.SetItem(f.It, target, key, value);
    }

    public override void Delete(Frame f)
    {
        Value target = Target.Evaluate(f), key = Index.Evaluate(f);
        f.At = At;
        Operations.DeleteItem(f.It, target, key);
    }
}

internal sealed class SliceExpression(Expression? start, Expression? stop, Expression? step, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f) => Value.Of(new SliceObject(start?.Evaluate(f) ?? Value.None, stop?.Evaluate(f) ?? Value.None, step?.Evaluate(f) ?? Value.None));
}

internal sealed class ConditionalExpression(Expression condition, Expression yes, Expression no, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f) => Operations.Truth(f.It, condition.Evaluate(f)) ? yes.Evaluate(f) : no.Evaluate(f);
}

/// <summary>target := value.</summary>
internal sealed class WalrusExpression(Expression target, Expression value, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        Value result = value.Evaluate(f);
        target.Assign(f, result);
        return result;
    }
}

internal sealed class AndExpression(Expression left, Expression right, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        Value value = left.Evaluate(f);
        return Operations.Truth(f.It, value) ? right.Evaluate(f) : value;
    }
}

internal sealed class OrExpression(Expression left, Expression right, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        Value value = left.Evaluate(f);
        return Operations.Truth(f.It, value) ? value : right.Evaluate(f);
    }
}

internal sealed class NotExpression(Expression inner, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f) => Value.Of(!Operations.Truth(f.It, inner.Evaluate(f)));
}

/// <summary>An f-string: texts, and values with their conversion and format.</summary>
internal sealed class FormattedExpression(FormattedPart[] parts, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        System.Text.StringBuilder text = new();
        foreach (FormattedPart part in parts)
        {
            if (part.Value is null)
            {
                text.Append(part.Text);
                continue;
            }
            Value value = part.Value.Evaluate(f);
            f.At = part.Value.At;
            value = part.Conversion switch { 'r' or 'a' => Value.Of(Operations.Repr(f.It, value)), 's' => Value.Of(Operations.Str(f.It, value)), _ => value };
            text.Append(Formatting.Format(f.It, value, part.Format?.Evaluate(f).Text ?? ""));
        }
        return Value.Of(text.ToString());
    }
}

internal sealed record FormattedPart(string Text, Expression? Value = null, char Conversion = '\0', Expression? Format = null);

/// <summary>yield and yield from: their statement makes them happen, and they give what was sent.</summary>
internal sealed class YieldExpression(Expression? value, bool from, Position at) : Expression(at)
{
    public Expression? Value { get; } = value;

    public bool From { get; } = from;

    /// <summary>Where the value that was sent is kept until the rest of the statement asks for it.</summary>
    public int Slot { get; set; }

    public override Value Evaluate(Frame f) => f.Slots[Slot];
}

/// <summary>lambda, and what def makes of its decorators' argument.</summary>
internal sealed class FunctionExpression(FunctionCode code, Expression[] defaults, Expression?[] keywordDefaults, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        Cell[] free = [.. code.Scope.FreeSymbols.Select(s => code.Scope.Parent!.CellOf(s, f))];
        return Value.Of(new FunctionObject(code, f.Module, free, Display.Values(defaults, f), [.. keywordDefaults.Select(d => d?.Evaluate(f) ?? default)]));
    }
}
